// From the core's first instruction to the loop; and how much stack was used since.
#include "start.h"

#include <stdint.h>

#include "loop.h"
#include "port.h"
#include "retained.h"

/// loop_run or lockstep_run.
#ifndef THIMBLE_MAIN
#define THIMBLE_MAIN loop_run
#endif

/// What unused stack is full of. Nothing that is likely to be pushed.
#define PAINT 0xa5c35a3cu

// Set by sections.ld. The stack is the lowest of RAM: one that overflows leaves RAM, which is a fault, rather than changing
// the state.
extern uint32_t __stack_start[], __stack_top[];
extern uint32_t __data_start[], __data_end[], __data_load[];
extern uint32_t __bss_start[], __bss_end[];

static void paint_stack(void) {
  uint32_t here;
  for (volatile uint32_t *at = __stack_start; at < &here; at++) *at = PAINT;
}

void start(void) {
  paint_stack();
  const uint32_t *from = __data_load;
  for (uint32_t *to = __data_start; to < __data_end; to++) *to = *from++;
  for (uint32_t *to = __bss_start; to < __bss_end; to++) *to = 0;
  retained_begin();
  port_init();
  THIMBLE_MAIN();
}

uint32_t port_stack_used(void) {
  const uint32_t *at = __stack_start;
  while (at < __stack_top && *at == PAINT) at++;
  return (uint32_t)((__stack_top - at) * sizeof *at);
}
