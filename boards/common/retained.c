// What outlives a reset: see retained.h. Also port_boot_reason and port_reset, which rest on it.
#include "retained.h"

#include <string.h>

#include "loop.h"
#include "port.h"
#include "restart-delay.h"

#ifndef THIMBLE_BUILD
#error THIMBLE_BUILD must be defined: a number that differs from build to build
#endif

#define MAGIC (0x7461696eu ^ (uint32_t)THIMBLE_BUILD)

static struct {
  uint32_t magic;  ///< MAGIC, where this build has written the rest.
  uint32_t reason; ///< enum port_boot, for the next boot.
  uint32_t wait_ms; ///< From that boot to the module's start; 0 where nothing has failed.
  uint32_t fault_at; ///< See retained_fault.
} retained __attribute__((section(".noinit.retained")));

/// Around .noinit.module (sections.ld).
extern uint8_t __module_state_start[], __module_state_end[];

static uint32_t started_ms;

void retained_begin(void) {
  if (retained.magic == MAGIC) return;
  memset(__module_state_start, 0, (size_t)(__module_state_end - __module_state_start));
  retained.reason = PORT_BOOT_POWER;
  retained.wait_ms = 0;
  retained.fault_at = 0;
  retained.magic = MAGIC;
}

enum port_boot port_boot_reason(void) {
  uint32_t reason = retained.reason;
  retained.reason = PORT_BOOT_POWER;
  if (reason == PORT_BOOT_POWER) retained.wait_ms = 0; // somebody has pressed the button
  return (enum port_boot)reason;
}

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

const char *port_boot_cause(enum port_boot reason) {
  static char fault[] = " at 0x00000000";
  if (reason == PORT_BOOT_WATCHDOG) return ": a call did not come back in " TEXT(LOOP_BUDGET_MS) " ms";
  if (reason != PORT_BOOT_TRAP || retained.fault_at == 0) return ""; // why a module trapped it has said itself
  const uint32_t at = retained.fault_at;
  retained.fault_at = 0; // another trap may be the module's own
  for (uint32_t i = 0; i < 8; i++) fault[sizeof fault - 2 - i] = "0123456789abcdef"[at >> 4 * i & 15];
  return fault;
}

uint32_t port_restart_ms(void) { return retained.wait_ms; }

void port_started(void) { started_ms = port_now_ms(); }

void port_reset(enum port_boot reason) {
  retained.wait_ms = restart_delay_ms(retained.wait_ms, port_now_ms() - started_ms);
  retained.reason = reason;
  core_reset();
}

void retained_fault(uint32_t at) {
  retained.fault_at = at;
  port_reset(PORT_BOOT_TRAP);
}
