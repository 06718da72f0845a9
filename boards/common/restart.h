// A reset for ports on an operating system, which would not want one: only the module starts anew (restart.c).
#ifndef THIMBLE_RESTART_H
#define THIMBLE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

/// Runs `loop` (loop.h), and again each time port_reset or restart_now is called. After a failure, if `is_to_wait`, as long as
/// restart-delay.h says lies between. port_boot_reason then says why.
_Noreturn void restart_run(void (*loop)(void), bool is_to_wait);
/// Before restart_run, where the whole board was reset by its watchdog: port_boot_reason says so first.
void restart_because(enum port_boot reason);
/// Back to the beginning where nothing has failed: another module is to be started.
_Noreturn void restart_now(void);

/// What the port supplies, called before `loop` begins again: after a failure nothing of the module's state is to be kept,
/// and `wait_ms` are to pass.
void restart_prepare(bool has_failed, uint32_t wait_ms);

#endif
