// What a port supplies to the code that boards share. Nothing here blocks but port_idle, and nothing allocates.
#ifndef THIMBLE_PORT_H
#define THIMBLE_PORT_H

#include <stddef.h>
#include <stdint.h>

/// Why the board started.
enum port_boot {
  PORT_BOOT_POWER = 0,    ///< Power-on, or a reset whose cause nobody knows.
  PORT_BOOT_WATCHDOG = 1, ///< A call into the module took longer than its budget.
  PORT_BOOT_TRAP = 2,     ///< The module trapped, or the core faulted.
};

/// Sets clocks, UART or sockets up. Called once.
void port_init(void);
/// Monotonic milliseconds; wraps at 2^32, starts anywhere.
uint32_t port_now_ms(void);
/// A counter for measurements: cycles of the clock that board.json names (emulator.hz).
uint32_t port_cycles(void);
/// What tells this device from others of its kind.
uint32_t port_seed(void);
/// Why it started; reading it forgets it.
enum port_boot port_boot_reason(void);
/// What to say of that reason besides, as the end of a line; "" where there is nothing.
const char *port_boot_cause(enum port_boot reason);
/// Milliseconds that the module is to wait before it starts, since it has failed: see restart-delay.h. 0 where it has not,
/// and where the port has waited itself.
uint32_t port_restart_ms(void);
/// The module starts, or goes on.
void port_started(void);
/// Arms the watchdog: the board resets with PORT_BOOT_WATCHDOG unless it is called again within so long. 0 disarms.
void port_watchdog(uint32_t ms);
/// Resets the board; the next boot has this reason.
_Noreturn void port_reset(enum port_boot reason);

// Serial links.
/// Hands one octet to the UART; waits for room in it, which is bounded by the line's speed.
void port_uart_put(uint8_t octet);
/// There is room for octets that the UART has kept, see link_has_room (link.h). May be called at any time.
void port_uart_resume(void);
/// Sleeps until something may have come (link_is_ready) or `ms` have passed; may return earlier.
void port_idle(uint32_t ms);

/// Octets of stack that were ever in use since the board started, 0 where nobody knows.
uint32_t port_stack_used(void);

#endif
