// What outlives a reset, in RAM that start-up code leaves alone (.noinit): why the board resets itself, and the module's state
// region (.noinit.module). RAM keeps it through every reset but a power-off.
#ifndef THIMBLE_RETAINED_H
#define THIMBLE_RETAINED_H

#include <stdint.h>

/// Called once at each boot, before the module is. Wipes the state region where it was not this very firmware that wrote
/// it: the region of another build may look whole, and have another layout or other addresses in it.
void retained_begin(void);

/// The core has faulted at an address of its program (0: nobody knows where): as port_reset.
_Noreturn void retained_fault(uint32_t at);

/// Starts the core again, for port_reset; .noinit stays.
_Noreturn void core_reset(void);

#endif
