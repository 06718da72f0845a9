// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
#include <stdint.h>
#include "esp_err.h"
esp_err_t esp_efuse_mac_get_default(uint8_t *mac);
