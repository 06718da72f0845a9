// How long a module that has failed waits until it starts again. One that fails at once each time would fill the radio with
// CONNECTs; at longer and longer intervals it can be reached now and then and costs little. V8 has the same rule
// (host/device/restart.ts).
#ifndef THIMBLE_RESTART_DELAY_H
#define THIMBLE_RESTART_DELAY_H

#include <stdint.h>

#define RESTART_MS_MIN 1000u
/// Each failure in a row doubles it, up to this.
#define RESTART_MS_MAX 64000u
/// Who has worked for so long has put the last failure behind it.
#define RESTART_CALM_MS 60000u

/// `last_ms`: what this returned for the failure before, 0 where there was none. `ran_ms`: from the last start to this failure.
static inline uint32_t restart_delay_ms(uint32_t last_ms, uint32_t ran_ms) {
  if (last_ms == 0 || ran_ms >= RESTART_CALM_MS) return RESTART_MS_MIN;
  return last_ms < RESTART_MS_MAX / 2 ? 2 * last_ms : RESTART_MS_MAX;
}

#endif
