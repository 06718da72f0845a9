// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
#include "FreeRTOS.h"
typedef struct task *TaskHandle_t;
void vTaskDelay(TickType_t ticks);
