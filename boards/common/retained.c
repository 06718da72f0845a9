// What outlives a reset: see retained.h. Also port_boot_reason and port_reset, which rest on it.
#include "retained.h"

#include <string.h>

#include "port.h"

#ifndef THIMBLE_BUILD
#error THIMBLE_BUILD must be defined: a number that differs from build to build
#endif

#define MAGIC (0x7461696eu ^ (uint32_t)THIMBLE_BUILD)

static struct {
  uint32_t magic;  ///< MAGIC, where this build has written the rest.
  uint32_t reason; ///< enum port_boot, for the next boot.
} retained __attribute__((section(".noinit.retained")));

/// Around .noinit.module (sections.ld).
extern uint8_t __module_state_start[], __module_state_end[];

void retained_begin(void) {
  if (retained.magic == MAGIC) return;
  memset(__module_state_start, 0, (size_t)(__module_state_end - __module_state_start));
  retained.reason = PORT_BOOT_POWER;
  retained.magic = MAGIC;
}

enum port_boot port_boot_reason(void) {
  uint32_t reason = retained.reason;
  retained.reason = PORT_BOOT_POWER;
  return (enum port_boot)reason;
}

void port_reset(enum port_boot reason) {
  retained.reason = reason;
  core_reset();
}
