// The module's contract on WAMR (module-wamr.c): what a port passes to it, and what it can be asked.
#ifndef THIMBLE_MODULE_WAMR_H
#define THIMBLE_MODULE_WAMR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

/// Octets of operand stack where nobody says more exactly: twice what the library's own applications need.
#define MODULE_WAMR_STACK_BYTES 3072

struct module_wamr_options {
  /// The module as the build made it; may lie in flash, and must stay there.
  const uint8_t *module;
  size_t module_bytes;
  /// All memory that WAMR takes but for linear memory where the platform maps that (Linux): aligned to 8 octets.
  void *pool;
  size_t pool_bytes;
  /// Octets of operand stack, from the build's report; 0: MODULE_WAMR_STACK_BYTES.
  size_t stack_bytes;
  /// WAMR's instructions that one call may take, where WAMR is built with metering; 0: any number. Where it is built
  /// without, the port's watchdog alone bounds a call.
  int32_t budget;
};

/// Loads and instantiates a module. Returns false and says why in `error`, of `error_bytes` octets, where it is no device's
/// module, or memory does not suffice.
bool module_wamr_open(const struct module_wamr_options *options, char *error, size_t error_bytes);
/// Gives everything back: another module may be opened.
void module_wamr_close(void);

/// Why the last call returned MODULE_TRAPPED: PORT_BOOT_WATCHDOG where its budget was used up, else PORT_BOOT_TRAP.
enum port_boot module_wamr_trap_reason(void);
/// In WAMR's words.
const char *module_wamr_trap_text(void);

/// Octets of memory, each counted from what WAMR's pool had left before and after.
struct module_wamr_memory {
  uint32_t runtime_bytes;  ///< The runtime before any module.
  uint32_t load_bytes;     ///< The translated module.
  uint32_t instance_bytes; ///< Its instance, without linear memory where the platform maps that.
  uint32_t exec_env_bytes; ///< What runs it, with the operand stack.
  uint32_t stack_bytes;    ///< The operand stack alone.
  uint32_t linear_bytes;   ///< Linear memory: `__heap_base` rounded up to the platform's page.
  uint32_t heap_base;      ///< What the module uses of it.
  uint32_t peak_bytes;     ///< The most that the pool ever gave, loading included.
};
void module_wamr_memory(struct module_wamr_memory *memory);

/// From now on each call can be repeated, for which `copy` of `bytes` octets, at least linear memory, keeps what it began with.
/// NULL: no longer.
void module_wamr_record(void *copy, size_t bytes);
/// The instructions that the last call took, 0 where that cannot be said: found by repeating the call with ever closer
/// budgets, unheard by the board, since WAMR's fast interpreter does not tell what is left of one.
uint32_t module_wamr_instructions(void);

#endif
