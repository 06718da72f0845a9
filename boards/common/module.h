// The module's contract in C (docs/ABI.md), whichever way the module runs: as WebAssembly under WAMR (module-wamr.c), or as
// native code made from it (module-native.c). A board's loop (loop.c) calls the module_ functions; the module calls the
// board_ functions during such a call, and only then.
#ifndef THIMBLE_MODULE_H
#define THIMBLE_MODULE_H

#include <stddef.h>
#include <stdint.h>

/// What module_poll returns when nothing is due, ever.
#define MODULE_NEVER_MS 0x7fffffff
/// What any module_ function returns where the module trapped, or used up its budget of time or instructions: it is to be
/// started again. Native code does not come back from there; see port_reset.
#define MODULE_TRAPPED INT32_MIN
/// What module_verb returns where the module has no such verb, or one with another number of arguments.
#define MODULE_NO_VERB (INT32_MIN + 1)
/// More arguments than any verb has.
#define MODULE_ARGUMENTS_MAX 8

/// Power-on: all state is wiped. `seed` tells devices of a kind apart. Returns 0.
int32_t module_start(uint32_t now, uint32_t seed);
/// A datagram has come from the radio's address `from` (0 octets: nobody knows). Returns 0, or why it was dropped, below 0.
/// `datagram` may already lie at module_rx(): it is not copied then.
int32_t module_receive(const uint8_t *datagram, size_t bytes, const uint8_t *from, size_t from_bytes, uint32_t now);
/// Does what is due. Returns the milliseconds until it is to be called again at the latest.
int32_t module_poll(uint32_t now);
/// After the state region was kept, or copied back: returns 0, or below 0 where it is no whole state of this module.
int32_t module_resume(uint32_t now);
/// Before the state region is kept or copied away: writes its checksum.
int32_t module_seal(void);

/// The state region, and its length.
uint8_t *module_image(size_t *bytes);
/// Where the module wants datagrams, and how long one may be.
uint8_t *module_rx(size_t *bytes);

/// Calls a verb of a modem module by its name (docs/ABI.md); what it needs in octets lies at module_rx(). Native code has this
/// in lockstep firmware only: other firmware calls wasm_NAME, and the linker leaves out what nobody calls.
int32_t module_verb(const char *name, const uint32_t *arguments, size_t count);
/// Where `bytes` octets are that an event points to; NULL where the module has no such memory.
const uint8_t *module_octets(uint32_t at, size_t bytes);

/// The module sends a datagram, for the radio's address `to` (0 octets: the board's default). Never blocks. Returns the
/// octets taken, or below 0.
int32_t board_send(const uint8_t *datagram, size_t bytes, const uint8_t *to, size_t to_bytes);
/// Modem modules: an event of 20 octets, see docs/ABI.md; module_octets finds what its pointers mean.
void board_event(int32_t kind, const uint8_t *event, size_t bytes);
/// Debug builds: a line of UTF-8, level 0 (error) to 3 (debug).
void board_log(int32_t level, const uint8_t *text, size_t bytes);
/// Applications that take updates: one chunk of one. Returns below 0 where it is refused, else what is still missing.
int32_t board_update(const uint8_t *chunk, size_t bytes);
/// Applications that take updates: this one works, and stays.
void board_confirm(void);

#endif
