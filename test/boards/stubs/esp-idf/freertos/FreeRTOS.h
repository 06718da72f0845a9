// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
#include <stdint.h>
typedef uint32_t TickType_t;
#define pdMS_TO_TICKS(ms) ((TickType_t)((ms) / 10))
