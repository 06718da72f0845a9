// The module's contract (module.h) on WAMR: what every port with WAMR uses, whatever the operating system.
//
// Order is WAMR's: pool, natives, load, instantiate, exec_env, look up. A module that has trapped is instantiated anew by
// the next module_start: a trap may have left anything in linear memory. Nothing is allocated but from the pool that the port
// gives, and the module's bytes may lie in flash: they are loaded as freeable, for otherwise WAMR writes to them.
#include "module-wamr.h"

#include <stdio.h>
#include <string.h>

#include <wasm_export.h>

#include "loop.h"
#include "module.h"

#define CONTRACT_VERSION 2u
/// A module that asked for its memory's size, or grew it, would not be shrunk: nor does ours need a heap of WAMR's.
#define APP_HEAP_BYTES 0u
#define NO_BUDGET (-1)
#define SENDS_MAX 64u

enum verb { START, RECEIVE, POLL, SEAL, RESUME, VERBS };
static const char *const VERB_NAMES[VERBS] = {"start", "receive", "poll", "seal", "resume"};

static struct {
  struct module_wamr_options options;
  wasm_module_t module;
  wasm_module_inst_t instance;
  wasm_exec_env_t exec_env;
  wasm_function_inst_t verbs[VERBS];
  /// Addresses in linear memory, and lengths.
  uint32_t image_at, image_bytes, rx_at, rx_bytes, peer_at, peer_bytes;
  /// Linear memory: it never moves, since modules do not grow it.
  uint8_t *linear;
  uint32_t linear_bytes;
  bool has_trapped;
  enum port_boot trap_reason;
  char trap_text[64];
  struct module_wamr_memory memory;
} wamr;

/// What is known of the last call, to repeat it.
static struct {
  uint8_t *copy;
  size_t copy_bytes;
  wasm_function_inst_t function;
  uint32_t arguments[MODULE_ARGUMENTS_MAX];
  uint32_t argument_count;
  int32_t sent[SENDS_MAX];
  size_t sends;
  bool is_complete, is_repeating;
} record;

static int32_t native_send(wasm_exec_env_t exec_env, const uint8_t *datagram, uint32_t bytes) {
  (void)exec_env;
  if (record.is_repeating) {
    return record.sends < SENDS_MAX ? record.sent[record.sends++] : 0;
  }
  const uint8_t *peer = wamr.linear + wamr.peer_at;
  const size_t to_bytes = peer[0] < wamr.peer_bytes ? peer[0] : 0;
  const int32_t taken = board_send(datagram, bytes, peer + 1, to_bytes);
  if (record.sends < SENDS_MAX) {
    record.sent[record.sends++] = taken;
  } else {
    record.is_complete = false;
  }
  return taken;
}

static void native_event(wasm_exec_env_t exec_env, int32_t kind, const uint8_t *event, uint32_t bytes) {
  (void)exec_env;
  if (!record.is_repeating) {
    board_event(kind, event, bytes);
  }
}

static void native_log(wasm_exec_env_t exec_env, int32_t level, const uint8_t *text, uint32_t bytes) {
  (void)exec_env;
  if (!record.is_repeating) {
    board_log(level, text, bytes);
  }
}

#ifdef MODULE_WAMR_UPDATES
// An update changes more than linear memory: a call that has made one is not repeated.
static int32_t native_update(wasm_exec_env_t exec_env, const uint8_t *chunk, uint32_t bytes) {
  (void)exec_env;
  record.is_complete = false;
  return board_update(chunk, bytes);
}

static void native_confirm(wasm_exec_env_t exec_env) {
  (void)exec_env;
  record.is_complete = false;
  board_confirm();
}
#endif

// WAMR sorts the table where it is, so it is no constant. `*~` is a pointer and its length, which WAMR checks together.
static NativeSymbol natives[] = {
    {"send", (void *)native_send, "(*~)i", NULL},
    {"event", (void *)native_event, "(i*~)", NULL},
    {"log", (void *)native_log, "(i*~)", NULL},
#ifdef MODULE_WAMR_UPDATES
    {"update", (void *)native_update, "(*~)i", NULL},
    {"confirm", (void *)native_confirm, "()", NULL},
#endif
};

static uint32_t pool_used(void) {
  mem_alloc_info_t info;
  if (!wasm_runtime_get_mem_alloc_info(&info)) {
    return 0;
  }
  wamr.memory.peak_bytes = info.highmark_size;
  return info.total_size - info.total_free_size;
}

/// Keeps why, before WAMR forgets it: an exception stays until it is cleared, and stops every further call.
static int32_t trap(void) {
  const char *text = wasm_runtime_get_exception(wamr.instance);
  const char *why = text != NULL ? text : "no reason given";
  snprintf(wamr.trap_text, sizeof wamr.trap_text, "%s", why);
  wamr.trap_reason = strstr(why, "instruction limit") != NULL ? PORT_BOOT_WATCHDOG : PORT_BOOT_TRAP;
  wamr.has_trapped = true;
  record.is_complete = false;
  wasm_runtime_clear_exception(wamr.instance);
  return MODULE_TRAPPED;
}

static void set_budget(int32_t budget) {
#if defined(WASM_ENABLE_INSTRUCTION_METERING) && WASM_ENABLE_INSTRUCTION_METERING != 0
  wasm_runtime_set_instruction_count_limit(wamr.exec_env, budget);
#else
  (void)budget;
#endif
}

static int32_t call(wasm_function_inst_t function, const uint32_t *arguments, uint32_t count) {
  if (wamr.has_trapped || function == NULL || count > MODULE_ARGUMENTS_MAX) {
    return MODULE_TRAPPED;
  }
  // WAMR writes the result over the arguments.
  uint32_t cells[MODULE_ARGUMENTS_MAX] = {0};
  if (count > 0) {
    memcpy(cells, arguments, count * sizeof cells[0]);
  }
  if (record.copy != NULL) {
    memcpy(record.copy, wamr.linear, wamr.linear_bytes);
    memcpy(record.arguments, cells, sizeof cells);
    record.function = function;
    record.argument_count = count;
    record.is_complete = true;
  }
  record.sends = 0;
  set_budget(wamr.options.budget > 0 ? wamr.options.budget : NO_BUDGET);
  if (!wasm_runtime_call_wasm(wamr.exec_env, function, count, cells)) {
    return trap();
  }
  return (int32_t)cells[0];
}

/// One of the functions that return a constant.
static bool ask(const char *name, uint32_t *value) {
  uint32_t cells[1] = {0};
  wasm_function_inst_t function = wasm_runtime_lookup_function(wamr.instance, name);
  set_budget(wamr.options.budget > 0 ? wamr.options.budget : NO_BUDGET);
  if (function == NULL || !wasm_runtime_call_wasm(wamr.exec_env, function, 0, cells)) {
    return false;
  }
  *value = cells[0];
  return true;
}

static bool is_inside(uint32_t at, uint32_t bytes) {
  return at <= wamr.linear_bytes && bytes <= wamr.linear_bytes - at;
}

static bool look_around(char *error, size_t error_bytes) {
  wasm_memory_inst_t memory = wasm_runtime_get_default_memory(wamr.instance);
  wasm_global_inst_t heap_base;
  uint32_t version = 0;
  if (memory == NULL || !wasm_runtime_get_export_global_inst(wamr.instance, "__heap_base", &heap_base)) {
    snprintf(error, error_bytes, "the module exports no memory, or no __heap_base");
    return false;
  }
  wamr.linear = wasm_memory_get_base_address(memory);
  wamr.linear_bytes = (uint32_t)(wasm_memory_get_cur_page_count(memory) * wasm_memory_get_bytes_per_page(memory));
  memcpy(&wamr.memory.heap_base, heap_base.global_data, sizeof wamr.memory.heap_base);
  wamr.memory.linear_bytes = wamr.linear_bytes;
  if (!ask("abi", &version)) {
    const char *why = wasm_runtime_get_exception(wamr.instance);
    snprintf(error, error_bytes, "abi() of the module: %s", why != NULL ? why : "is not exported");
    return false;
  }
  if (version != CONTRACT_VERSION) {
    snprintf(error, error_bytes, "the module has version %u of the contract, this firmware %u", (unsigned)version,
             CONTRACT_VERSION);
    return false;
  }
  for (size_t verb = 0; verb < VERBS; verb++) {
    wamr.verbs[verb] = wasm_runtime_lookup_function(wamr.instance, VERB_NAMES[verb]);
    if (wamr.verbs[verb] == NULL) {
      snprintf(error, error_bytes, "the module does not export %s", VERB_NAMES[verb]);
      return false;
    }
  }
  const bool is_told = ask("image", &wamr.image_at) && ask("imageBytes", &wamr.image_bytes) && ask("rx", &wamr.rx_at) &&
                       ask("rxBytes", &wamr.rx_bytes) && ask("peer", &wamr.peer_at) && ask("peerBytes", &wamr.peer_bytes);
  if (!is_told || !is_inside(wamr.image_at, wamr.image_bytes) || !is_inside(wamr.rx_at, wamr.rx_bytes) ||
      wamr.peer_bytes == 0 || !is_inside(wamr.peer_at, wamr.peer_bytes)) {
    snprintf(error, error_bytes, "the module does not say where its state and buffers are");
    return false;
  }
  return true;
}

static void drop_instance(void) {
  if (wamr.exec_env != NULL) {
    wasm_runtime_destroy_exec_env(wamr.exec_env);
  }
  if (wamr.instance != NULL) {
    wasm_runtime_deinstantiate(wamr.instance);
  }
  wamr.exec_env = NULL;
  wamr.instance = NULL;
  wamr.linear = NULL;
  wamr.linear_bytes = 0;
  record.is_complete = false;
}

static bool instantiate(char *error, size_t error_bytes) {
  const uint32_t stack = (uint32_t)wamr.options.stack_bytes;
  const uint32_t before = pool_used();
  wamr.has_trapped = false;
  wamr.instance = wasm_runtime_instantiate(wamr.module, stack, APP_HEAP_BYTES, error, (uint32_t)error_bytes);
  if (wamr.instance == NULL) {
    return false;
  }
  wamr.memory.instance_bytes = pool_used() - before;
  wamr.exec_env = wasm_runtime_create_exec_env(wamr.instance, stack);
  if (wamr.exec_env == NULL) {
    snprintf(error, error_bytes, "no memory for an operand stack of %u octets", (unsigned)stack);
    return false;
  }
  wamr.memory.exec_env_bytes = pool_used() - before - wamr.memory.instance_bytes;
  return look_around(error, error_bytes);
}

static bool load(char *error, size_t error_bytes) {
  LoadArgs arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.name = "";
  arguments.wasm_binary_freeable = true;
  // The cast is as far as it goes: the bytes of a freeable module are only read.
  wamr.module = wasm_runtime_load_ex((uint8_t *)(uintptr_t)wamr.options.module, (uint32_t)wamr.options.module_bytes,
                                     &arguments, error, (uint32_t)error_bytes);
  return wamr.module != NULL;
}

bool module_wamr_open(const struct module_wamr_options *options, char *error, size_t error_bytes) {
  RuntimeInitArgs runtime;
  memset(&wamr, 0, sizeof wamr);
  memset(&record, 0, sizeof record);
  wamr.options = *options;
  if (wamr.options.stack_bytes == 0) {
    wamr.options.stack_bytes = MODULE_WAMR_STACK_BYTES;
  }
  memset(&runtime, 0, sizeof runtime);
  runtime.mem_alloc_type = Alloc_With_Pool;
  runtime.mem_alloc_option.pool.heap_buf = options->pool;
  runtime.mem_alloc_option.pool.heap_size = (uint32_t)options->pool_bytes;
  if (!wasm_runtime_full_init(&runtime)) {
    snprintf(error, error_bytes, "WAMR does not start with a pool of %u octets", (unsigned)options->pool_bytes);
    return false;
  }
  wasm_runtime_set_log_level(WASM_LOG_LEVEL_ERROR); // it would warn of each name that a module does not import
  wamr.memory.stack_bytes = (uint32_t)wamr.options.stack_bytes;
  const bool is_registered = wasm_runtime_register_natives("board", natives, sizeof natives / sizeof natives[0]);
  wamr.memory.runtime_bytes = pool_used();
  if (!is_registered || !load(error, error_bytes)) {
    module_wamr_close();
    return false;
  }
  wamr.memory.load_bytes = pool_used() - wamr.memory.runtime_bytes;
  port_watchdog(LOOP_BUDGET_MS); // a module's own code runs already, to say where its buffers are
  const bool is_open = instantiate(error, error_bytes);
  port_watchdog(0);
  if (!is_open) {
    module_wamr_close();
  }
  return is_open;
}

void module_wamr_close(void) {
  drop_instance();
  if (wamr.module != NULL) {
    wasm_runtime_unload(wamr.module);
    wamr.module = NULL;
  }
  wasm_runtime_destroy();
}

enum port_boot module_wamr_trap_reason(void) { return wamr.trap_reason; }

const char *module_wamr_trap_text(void) { return wamr.trap_text; }

void module_wamr_memory(struct module_wamr_memory *memory) {
  pool_used();
  *memory = wamr.memory;
}

void module_wamr_record(void *copy, size_t bytes) {
  record.copy = bytes >= wamr.linear_bytes ? copy : NULL;
  record.copy_bytes = bytes;
  record.is_complete = false;
}

/// Repeats the recorded call with a budget. Returns whether it came to its end.
static bool repeat(int32_t budget) {
  uint32_t cells[MODULE_ARGUMENTS_MAX];
  memcpy(wamr.linear, record.copy, wamr.linear_bytes);
  memcpy(cells, record.arguments, sizeof cells);
  record.sends = 0;
  record.is_repeating = true;
  set_budget(budget);
  const bool is_done = wasm_runtime_call_wasm(wamr.exec_env, record.function, record.argument_count, cells);
  record.is_repeating = false;
  wasm_runtime_clear_exception(wamr.instance);
  return is_done;
}

uint32_t module_wamr_instructions(void) {
  if (!record.is_complete || record.copy == NULL) {
    return 0;
  }
  int32_t enough = 1;
  while (enough < INT32_MAX / 2 && !repeat(enough)) {
    enough *= 2;
  }
  int32_t too_few = enough / 2;
  while (enough - too_few > 1) {
    const int32_t middle = too_few + (enough - too_few) / 2;
    if (repeat(middle)) {
      enough = middle;
    } else {
      too_few = middle;
    }
  }
  // Linear memory is as it was again: the same call on the same octets, with the same answers.
  return repeat(NO_BUDGET) ? (uint32_t)enough : 0;
}

int32_t module_verb(const char *name, const uint32_t *arguments, size_t count) {
  if (wamr.has_trapped) {
    return MODULE_TRAPPED;
  }
  const wasm_function_inst_t function = wasm_runtime_lookup_function(wamr.instance, name);
  if (function == NULL || wasm_func_get_param_count(function, wamr.instance) != count) {
    return MODULE_NO_VERB;
  }
  return call(function, arguments, (uint32_t)count);
}

const uint8_t *module_octets(uint32_t at, size_t bytes) {
  return is_inside(at, (uint32_t)bytes) ? wamr.linear + at : NULL;
}

int32_t module_start(uint32_t now, uint32_t seed) {
  const uint32_t arguments[] = {now, seed};
  if (wamr.has_trapped) {
    char error[64];
    drop_instance();
    if (!instantiate(error, sizeof error)) {
      wamr.has_trapped = true;
      return MODULE_TRAPPED;
    }
  }
  return call(wamr.verbs[START], arguments, 2);
}

int32_t module_receive(const uint8_t *datagram, size_t bytes, const uint8_t *from, size_t from_bytes, uint32_t now) {
  const uint32_t arguments[] = {(uint32_t)bytes, now};
  if (wamr.linear == NULL) {
    return MODULE_TRAPPED;
  }
  uint8_t *rx = wamr.linear + wamr.rx_at;
  uint8_t *peer = wamr.linear + wamr.peer_at;
  // What is longer than the buffer would be cut by a radio's driver, too; the length still tells.
  memmove(rx, datagram, bytes < wamr.rx_bytes ? bytes : wamr.rx_bytes);
  peer[0] = from_bytes < wamr.peer_bytes ? (uint8_t)from_bytes : 0;
  if (peer[0] > 0) {
    memcpy(peer + 1, from, peer[0]);
  }
  return call(wamr.verbs[RECEIVE], arguments, 2);
}

int32_t module_poll(uint32_t now) { return call(wamr.verbs[POLL], &now, 1); }

int32_t module_resume(uint32_t now) { return call(wamr.verbs[RESUME], &now, 1); }

int32_t module_seal(void) { return call(wamr.verbs[SEAL], NULL, 0); }

uint8_t *module_image(size_t *bytes) {
  *bytes = wamr.linear != NULL ? wamr.image_bytes : 0;
  return wamr.linear != NULL ? wamr.linear + wamr.image_at : NULL;
}

uint8_t *module_rx(size_t *bytes) {
  *bytes = wamr.linear != NULL ? wamr.rx_bytes : 0;
  return wamr.linear != NULL ? wamr.linear + wamr.rx_at : NULL;
}
