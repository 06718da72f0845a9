// What RISC-V parts with a CLINT and a PLIC share (RISC-V privileged architecture; SiFive E31 manual).
#ifndef THIMBLE_RISCV_H
#define THIMBLE_RISCV_H

#include <stdint.h>

#include "register.h"

/// Starts the timer, and lets interrupts through: `source` of the PLIC goes to port_source_interrupt.
void riscv_begin(uint32_t source);
/// The port's: `source` of riscv_begin wants something.
void port_source_interrupt(void);

#endif
