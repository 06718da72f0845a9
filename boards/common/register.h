// Registers of a part, at their addresses.
#ifndef THIMBLE_REGISTER_H
#define THIMBLE_REGISTER_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/// A crystal starts within a few milliseconds; one that is broken must not stop the board, nor an emulator without one.
#define READY_LOOPS_MAX 50000

/// Waits for one of `flags`, so long and no longer. Returns those that are there.
static inline uint32_t register_wait(volatile uint32_t *at, uint32_t flags) {
  for (uint32_t i = 0; i < READY_LOOPS_MAX && !(*at & flags); i++) {
  }
  return *at & flags;
}

#endif
