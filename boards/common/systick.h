// Time from the core's own timer: port_now_ms, port_cycles, and the watchdog's tick.
#ifndef THIMBLE_SYSTICK_H
#define THIMBLE_SYSTICK_H

/// Starts the timer. The port's folder says how fast the core runs: SYSTICK_HZ, a multiple of 1000, in its board.h.
void systick_begin(void);

#endif
