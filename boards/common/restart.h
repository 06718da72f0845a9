// A reset for ports on an operating system, which would not want one: only the module starts anew (restart.c).
#ifndef THIMBLE_RESTART_H
#define THIMBLE_RESTART_H

#include <stdint.h>

/// Runs `loop` (loop.h), and again each time port_reset is called; `wait_ms` lie between, so that a module that fails at once
/// each time leaves the processor to others. Afterwards port_boot_reason says why.
_Noreturn void restart_run(void (*loop)(void), uint32_t wait_ms);

/// What the port supplies: the module has failed. Nothing of it is to be kept for later, and `ms` are to pass.
void restart_pause(uint32_t ms);

#endif
