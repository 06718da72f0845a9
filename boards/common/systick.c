// Time from SysTick, a counter of 24 bits that counts down from LOAD to 0, over and over (ARMv7-M, B3.3).
#include "systick.h"

#include "board.h"
#include "cortex-m.h"
#include "port.h"
#include "watchdog.h"

#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define ICSR REGISTER(0xe000ed04)
#define ICSR_PENDSTSET (1u << 26)

/// Each tick wakes the core: often enough to be punctual, and to be awake hardly ever.
#define TICK_MS 10
#define CYCLES_PER_MS (SYSTICK_HZ / 1000)
#define TICK_CYCLES (TICK_MS * CYCLES_PER_MS)
_Static_assert(TICK_CYCLES <= 1 << 24, "the counter has 24 bits");

static volatile uint32_t ticks;

struct moment {
  uint32_t ticks;
  uint32_t cycles; ///< Since that tick.
};

void systick_interrupt(void) {
  ticks++;
  watchdog_tick(TICK_MS);
}

void systick_begin(void) {
  SYST_RVR = TICK_CYCLES - 1;
  SYST_CVR = 0;
  SYST_CSR = 7; // the core's clock, the interrupt, on
  while (SYST_CVR == 0) {
    // The first cycle loads the counter; see read_moment for what 0 means later.
  }
}

/// The counter's value, and whether an interrupt that has not been counted lies before it.
static struct moment read_moment(void) {
  uint32_t was = cortex_lock();
  struct moment moment = {ticks, 0};
  uint32_t left = SYST_CVR;
  if (ICSR & ICSR_PENDSTSET) {
    // It became 0 before or after `left` was read: read again, for certain after that. 0 is the new tick's first cycle.
    moment.ticks++;
    left = SYST_CVR;
    moment.cycles = left == 0 ? 0 : TICK_CYCLES - left;
  } else {
    // 0 without its interrupt is the old tick's end (an emulator may show the two apart).
    moment.cycles = TICK_CYCLES - left;
  }
  cortex_unlock(was);
  return moment;
}

// Both products wrap where 2^32 does, whatever `ticks` has come to: 2^32 ticks are a multiple of 2^32 milliseconds.

uint32_t port_now_ms(void) {
  struct moment moment = read_moment();
  return moment.ticks * TICK_MS + moment.cycles / CYCLES_PER_MS;
}

uint32_t port_cycles(void) {
  struct moment moment = read_moment();
  return moment.ticks * TICK_CYCLES + moment.cycles;
}
