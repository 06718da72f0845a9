// What tells this device from others of its kind; see seed.c.
#ifndef THIMBLE_SEED_H
#define THIMBLE_SEED_H

#include <stdint.h>

/// A number of this very part, by the port: where nobody has written a seed to flash. The same at every boot.
uint32_t part_id(void);

#endif
