// The line by which a board says why it has started.
#ifndef THIMBLE_BOOT_LOG_H
#define THIMBLE_BOOT_LOG_H

#include "port.h"

/// "started: power"; as warnings "started: watchdog", "started: trap", and what the port knows of the cause.
void boot_log_started(enum port_boot reason);
/// "resumed": the state region has outlived a reset.
void boot_log_resumed(void);

#endif
