// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
typedef int esp_err_t;
