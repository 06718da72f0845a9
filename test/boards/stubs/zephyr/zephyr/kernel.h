// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
#include <stdint.h>
uint32_t k_uptime_get_32(void);
uint32_t k_cycle_get_32(void);
int32_t k_msleep(int32_t ms);
#define __noinit __attribute__((section(".noinit")))
void printk(const char *format, ...);
