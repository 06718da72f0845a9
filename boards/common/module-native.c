// The module's contract (module.h) on native code: MODULE_SOURCE names the C that was made from the module, as a string
// literal. It is included, so that the compiler sees both sides of each call.
//
// Each call from outside begins with wasm_init: nobody has to know in which order calls have to come.
#include "module.h"

#include <string.h>

#include "port.h"

#ifndef MODULE_SOURCE
#error "MODULE_SOURCE: the file of C made from the module"
#endif

// What the module calls. Those that it does not import vanish.
#define IMPORT static __attribute__((unused))
IMPORT uint32_t import_send(uint32_t at, uint32_t bytes);
IMPORT void import_event(uint32_t kind, uint32_t at, uint32_t bytes);
IMPORT void import_log(uint32_t level, uint32_t at, uint32_t bytes);
IMPORT uint32_t import_update(uint32_t at, uint32_t bytes);
IMPORT void import_confirm(void);

#include MODULE_SOURCE

#define WEAK __attribute__((weak))

static uint8_t *peer(void) { return wasm_at(wasm_peer()); }

static size_t at_most(size_t bytes, size_t max) { return bytes < max ? bytes : max; }

_Noreturn void wasm_trap(const char *why) {
  board_log(0, (const uint8_t *)why, strlen(why));
  port_reset(PORT_BOOT_TRAP);
}

static uint32_t import_send(uint32_t at, uint32_t bytes) {
  const uint8_t *to = peer();
  return (uint32_t)board_send(wasm_at(at), bytes, to + 1, to[0]);
}

static void import_event(uint32_t kind, uint32_t at, uint32_t bytes) { board_event((int32_t)kind, wasm_at(at), bytes); }

static void import_log(uint32_t level, uint32_t at, uint32_t bytes) { board_log((int32_t)level, wasm_at(at), bytes); }

static uint32_t import_update(uint32_t at, uint32_t bytes) { return (uint32_t)board_update(wasm_at(at), bytes); }

static void import_confirm(void) { board_confirm(); }

int32_t module_start(uint32_t now, uint32_t seed) {
  wasm_init();
  return (int32_t)wasm_start(now, seed);
}

int32_t module_receive(const uint8_t *datagram, size_t bytes, const uint8_t *from, size_t from_bytes, uint32_t now) {
  wasm_init();
  // What is longer than the buffer is cut, as a radio's driver would; its length still tells.
  size_t max;
  uint8_t *rx = module_rx(&max);
  if (datagram != rx) memcpy(rx, datagram, at_most(bytes, max));
  // An address that is too long is none that the module knows.
  const size_t known = from_bytes < wasm_peerBytes() ? from_bytes : 0;
  peer()[0] = (uint8_t)known;
  memcpy(peer() + 1, from, known);
  return (int32_t)wasm_receive((uint32_t)bytes, now);
}

int32_t module_poll(uint32_t now) {
  wasm_init();
  return (int32_t)wasm_poll(now);
}

int32_t module_resume(uint32_t now) {
  wasm_init();
  return (int32_t)wasm_resume(now);
}

int32_t module_seal(void) {
  wasm_init();
  return (int32_t)wasm_seal();
}

uint8_t *module_image(size_t *bytes) {
  *bytes = wasm_imageBytes();
  return wasm_at(wasm_image());
}

uint8_t *module_rx(size_t *bytes) {
  *bytes = wasm_rxBytes();
  return wasm_at(wasm_rx());
}

#ifdef WASM_VERBS
int32_t module_verb(const char *name, const uint32_t *arguments, size_t count) {
  uint32_t result;
  wasm_init();
  return wasm_verb(name, arguments, count, &result) ? (int32_t)result : MODULE_NO_VERB;
}
#endif

const uint8_t *module_octets(uint32_t at, size_t bytes) {
  (void)bytes; // it is an address of this core: it may be anywhere
  return wasm_at(at);
}

// A firmware has those of these that it needs.
WEAK void board_event(int32_t kind, const uint8_t *event, size_t bytes) {
  (void)kind;
  (void)event;
  (void)bytes;
}

WEAK void board_log(int32_t level, const uint8_t *text, size_t bytes) {
  (void)level;
  (void)text;
  (void)bytes;
}

WEAK int32_t board_update(const uint8_t *chunk, size_t bytes) {
  (void)chunk;
  (void)bytes;
  return -1;
}

WEAK void board_confirm(void) {}
