// The watchdog of boards without one that the emulator has, too: a timer interrupt that counts.
#ifndef THIMBLE_WATCHDOG_H
#define THIMBLE_WATCHDOG_H

#include <stdint.h>

/// Called by the timer's interrupt each time so many milliseconds have passed, and by no other interrupt.
void watchdog_tick(uint32_t ms);

#endif
