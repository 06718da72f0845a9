// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
#include <stdint.h>
#include <zephyr/device.h>
typedef void (*task_wdt_callback_t)(int channel, void *data);
int task_wdt_init(const struct device *watchdog);
int task_wdt_add(uint32_t ms, task_wdt_callback_t callback, void *data);
int task_wdt_delete(int channel);
