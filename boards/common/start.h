// From the core's first instruction to main: what start-up code of all cores shares.
#ifndef THIMBLE_START_H
#define THIMBLE_START_H

/// Paints the stack below the caller, fills .data, clears .bss, and runs main. .noinit stays as it is.
_Noreturn void start(void);

#endif
