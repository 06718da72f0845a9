// What Cortex-M parts share (ARMv6-M and ARMv7-M architecture reference manuals).
#ifndef THIMBLE_CORTEX_M_H
#define THIMBLE_CORTEX_M_H

#include <stdint.h>

#include "register.h"

typedef void (*cortex_handler)(void);

/// The port's own interrupts, from number 0 to the last it uses. It lies behind the core's in section ".vectors.port". All
/// interrupts have one priority: none interrupts another. Functions of it have names that end with _interrupt, by which the
/// build knows what else the stack has to hold.
#define CORTEX_VECTORS __attribute__((section(".vectors.port"), used)) static const cortex_handler

/// Lets interrupt `number` of the part through.
void cortex_enable(uint32_t number);
/// Holds it back, whatever its peripheral says.
void cortex_disable(uint32_t number);
/// An interrupt that nobody has enabled: a fault.
void cortex_fault(void);

/// Interrupts are off until cortex_unlock(what this returned).
static inline uint32_t cortex_lock(void) {
  uint32_t was;
  __asm volatile("mrs %0, primask\n cpsid i" : "=r"(was)::"memory");
  return was;
}

static inline void cortex_unlock(uint32_t was) { __asm volatile("msr primask, %0" ::"r"(was) : "memory"); }

#endif
