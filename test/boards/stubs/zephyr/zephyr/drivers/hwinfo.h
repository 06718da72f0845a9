// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#define RESET_WATCHDOG (1 << 4)
ssize_t hwinfo_get_device_id(uint8_t *buffer, size_t length);
int hwinfo_get_reset_cause(uint32_t *cause);
int hwinfo_clear_reset_cause(void);
