// What a port supplies to the code that boards share. Nothing here blocks but port_receive, and nothing allocates.
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
/// Arms the watchdog: the board resets with PORT_BOOT_WATCHDOG unless it is called again within so long. 0 disarms.
void port_watchdog(uint32_t ms);
/// Resets the board; the next boot has this reason.
_Noreturn void port_reset(enum port_boot reason);

// Serial links.
/// Hands one octet to the UART; waits for room in it, which is bounded by the line's speed.
void port_uart_put(uint8_t octet);
/// The next octet that has come, or below 0 for none.
int32_t port_uart_get(void);
/// Sleeps until something may have come or `ms` have passed; may return earlier.
void port_idle(uint32_t ms);

#endif
