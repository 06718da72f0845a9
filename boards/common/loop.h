// What a board does from power-on to power-off: one of these, which the build chooses.
#ifndef THIMBLE_LOOP_H
#define THIMBLE_LOOP_H

/// Milliseconds that one call into the module may take. Everything the module does ends within a few; see port_watchdog.
#ifndef LOOP_BUDGET_MS
#define LOOP_BUDGET_MS 2000
#endif

/// The module on its link and the board's clock (loop.c).
_Noreturn void loop_run(void);
/// The module in somebody else's hands, datagrams and time included (lockstep.c).
_Noreturn void lockstep_run(void);

#endif
