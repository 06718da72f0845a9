// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
#include "esp_err.h"
#include "freertos/task.h"
esp_err_t esp_task_wdt_add(TaskHandle_t task);
esp_err_t esp_task_wdt_delete(TaskHandle_t task);
