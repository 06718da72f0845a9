// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
#define SYS_REBOOT_COLD 1
__attribute__((noreturn)) void sys_reboot(int type);
