// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
#include <stdint.h>
int64_t esp_timer_get_time(void);
