// Thimble for Zephyr: a module under WAMR, on UDP.
#ifndef THIMBLE_H
#define THIMBLE_H

#include <stddef.h>
#include <stdint.h>

/// Runs a module for as long as the board is on; to be called from a task of its own, or from main, once the network is
/// up. `module` may lie in flash (the array of APP.h); `stack_bytes` is operandStackBytes of APP.report.json. Returns only
/// where it cannot begin, and says why.
const char *thimble_run(const uint8_t *module, size_t module_bytes, size_t stack_bytes, const char *gateway, uint16_t port);

#endif
