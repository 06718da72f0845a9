// The watchdog: see watchdog.h. Also port_watchdog.
#include "watchdog.h"

#include "port.h"

/// 0: not armed.
static volatile uint32_t left_ms;

void port_watchdog(uint32_t ms) { left_ms = ms; }

void watchdog_tick(uint32_t ms) {
  if (left_ms == 0) return;
  if (left_ms <= ms) port_reset(PORT_BOOT_WATCHDOG);
  left_ms -= ms;
}
