// Updates of the application over MQTT, the board's end: takes chunks in order, checks what they make, starts it on trial, and
// keeps it or goes back. docs/UPDATE.md has the formats; host/update/receiver.ts is the same in TypeScript, and one suite tests
// both. Fixed memory, nothing blocks.
//
// How a board uses it: `update_boot` once at each start says which slot to run. The module's import `board.update` is
// `update_chunk`, `board.confirm` is `update_confirm`. After each call into the module: where `update_is_accepted` or
// `update_is_overdue` is true, start again, from `update_boot` on; so does a board that was reset by its watchdog or a trap.
#ifndef THIMBLE_UPDATE_H
#define THIMBLE_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPDATE_TABLE_BYTES 144
#define UPDATE_HEADER_BYTES 164
#define UPDATE_SIGNED_BYTES 100
#define UPDATE_SIGNATURE_BYTES 64
#define UPDATE_DIGEST_BYTES 32
#define UPDATE_NAME_BYTES_MAX 24
#ifndef UPDATE_TRIAL_MS
/// How long an update may take to confirm that it works.
#define UPDATE_TRIAL_MS 300000u
#endif

/// Added to what update_chunk returns where the chunk came too early and was not taken: the sender is to go back.
#define UPDATE_GAP 0x10000
/// Results of update_chunk below 0: codes of assembly/protocol/error-code.ts.
#define UPDATE_TOO_LONG (-16)
#define UPDATE_WRONG_STATE (-19)
#define UPDATE_FORMAT (-48)
#define UPDATE_SIGNATURE (-49)
#define UPDATE_DAMAGED (-50)
#define UPDATE_FOREIGN (-51)
#define UPDATE_VERSION (-52)
#define UPDATE_FAILED (-53)
#define UPDATE_STORAGE (-54)

/// What the board was shipped with. Texts are good for as long as the program runs.
struct update_options {
  const char *name;    ///< The application: updates of others are refused.
  uint16_t version[3]; ///< Major, minor, patch. Whoever ships a newer one puts it into slot 0: it is started instead of updates.
  uint16_t abi;        ///< Of the module's contract.
  const char *board;
  uint32_t trial_ms; ///< 0: UPDATE_TRIAL_MS.
};

struct update_start {
  uint8_t slot;   ///< To be started: 0, which holds what the board was shipped with before any update, or 1.
  uint32_t bytes; ///< Of the module in it; 0 where no update has been to this slot.
  bool is_on_trial;
  bool was_rolled_back; ///< An update was given up since the last start.
  bool was_outdated;    ///< What updates had brought was older than what the board is shipped with now, and is forgotten.
  bool is_put_off;      ///< An update waits, and cannot be started until the table can be written: what ran runs on.
  uint16_t version[3];  ///< Of the module to be started.
};

/// At every start of the board.
struct update_start update_boot(const struct update_options *options, uint32_t now);
/// One chunk. Returns the chunks that are still missing, plus UPDATE_GAP; 0 where all are here and accepted; or a code below 0.
int32_t update_chunk(const uint8_t *chunk, size_t bytes);
/// What runs on trial works, and stays. Does nothing otherwise.
void update_confirm(void);
/// An update waits to be started. Not one that was put off at this start: the board would start again for ever.
bool update_is_accepted(void);
/// The update on trial has not confirmed in time.
bool update_is_overdue(uint32_t now);
/// Milliseconds until update_is_overdue; UINT32_MAX for never.
uint32_t update_remaining_ms(uint32_t now);
/// Version of the slot that works: what confirmed, or what the board was shipped with.
void update_version(uint16_t version[3]);

// What a port supplies. What returns a bool returns false where the memory does not do it.

/// Octets of a slot.
uint32_t update_port_slot_bytes(void);
bool update_port_erase(uint8_t slot);
/// `at` begins with 0 and goes up: what is written lies behind what was written before.
bool update_port_write(uint8_t slot, uint32_t at, const uint8_t *octets, size_t bytes);
/// SHA-256 of the slot's first octets.
bool update_port_digest(uint8_t slot, uint32_t bytes, uint8_t digest[UPDATE_DIGEST_BYTES]);
/// Ed25519, with the key that the board trusts.
bool update_port_verify(const uint8_t *octets, size_t bytes, const uint8_t signature[UPDATE_SIGNATURE_BYTES]);
/// One of two copies of the table; false where none was written.
bool update_port_read_table(uint8_t copy, uint8_t table[UPDATE_TABLE_BYTES]);
/// Returns when the copy is safe from a power cut.
bool update_port_write_table(uint8_t copy, const uint8_t table[UPDATE_TABLE_BYTES]);

#endif
