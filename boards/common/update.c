// The board's end of an update. The table is kept in the form in which it is written, since nothing else needs its fields.
#include "update.h"

#include <string.h>

// A chunk: version 1, sequence 2, total 2, id 4, then a part of header and module. All integers are little-endian.
#define CHUNK_VERSION 1
#define CHUNK_HEADER_BYTES 9
#define SEQUENCE_AT 1
#define TOTAL_AT 3
#define ID_AT 5

// The header (host/update/header.ts draws it).
#define HEADER_MAGIC 0x756d6874u
#define HEADER_FORMAT 1
#define FORMAT_AT 4
#define FLAGS_AT 5
#define ABI_AT 6
#define VERSION_AT 8
#define NAME_AT 16
#define BOARD_AT 40
#define BYTES_AT 64
#define DIGEST_AT 68
#define FLAG_DOWNGRADE 1
#define FLAG_AGAIN 2

// The table (host/update/slot-table.ts draws it).
#define TABLE_MAGIC 0x736d6874u
#define GENERATION_AT 4
#define ACTIVE_AT 8
#define TRIAL_AT 9
#define SLOTS_AT 12
#define SLOT_BYTES 48
#define SLOT_KNOWN_AT 4
#define SLOT_IS_OLDER_AT 5 // than what the board was shipped with: somebody wanted that.
#define SLOT_VERSION_AT 6
#define SLOT_BYTES_AT 12
#define SLOT_DIGEST_AT 16
#define FAILED_AT 108
#define CRC_AT 140

enum trial {
  TRIAL_NONE = 0,
  TRIAL_PENDING = 1, ///< Accepted, not started yet.
  TRIAL_STARTED = 2, ///< To confirm before the next start.
};

static const struct update_options *options;
static uint8_t table[UPDATE_TABLE_BYTES];
static bool is_on_trial;
static bool is_put_off;
static uint32_t trial_ends;

// The update that is coming in. Nothing is while `total` is 0.
static uint32_t id;
static uint16_t total;
static uint16_t next;
static uint32_t taken; ///< Octets so far.
static bool is_examined;
static uint8_t header[UPDATE_HEADER_BYTES];

// The last one that was refused: what follows of it is, too.
static uint32_t refused_id;
static int32_t refused_code; ///< 0: none.

static uint16_t get16(const uint8_t *at) {
  return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at) {
  return (uint32_t)get16(at) | (uint32_t)get16(at + 2) << 16;
}

static void put32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t crc32(const uint8_t *octets, size_t bytes) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < bytes; i++) {
    crc ^= octets[i];
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return ~crc;
}

static uint8_t *slot_at(uint8_t *of, uint8_t slot) {
  return of + SLOTS_AT + slot * SLOT_BYTES;
}

/// The slot that takes updates.
static uint8_t idle_slot(void) {
  return 1 - table[ACTIVE_AT];
}

/// The newer of the copies that are whole; a board that has none starts what it was shipped with.
static void read_table(void) {
  uint8_t copy[UPDATE_TABLE_BYTES];
  memset(table, 0, sizeof table);
  put32(table, TABLE_MAGIC);
  for (uint8_t i = 0; i < 2; i++) {
    if (!update_port_read_table(i, copy) || get32(copy) != TABLE_MAGIC) continue;
    if (get32(copy + CRC_AT) != crc32(copy, CRC_AT)) continue;
    if (get32(copy + GENERATION_AT) > get32(table + GENERATION_AT)) memcpy(table, copy, sizeof table);
  }
}

/// Writes a changed table over the older copy. Only then it counts.
static bool change_table(uint8_t changed[UPDATE_TABLE_BYTES]) {
  uint32_t generation = get32(table + GENERATION_AT) + 1;
  put32(changed + GENERATION_AT, generation);
  put32(changed + CRC_AT, crc32(changed, CRC_AT));
  if (!update_port_write_table(generation & 1, changed)) return false;
  memcpy(table, changed, sizeof table);
  return true;
}

static bool set_trial(enum trial trial) {
  uint8_t changed[UPDATE_TABLE_BYTES];
  memcpy(changed, table, sizeof changed);
  changed[TRIAL_AT] = (uint8_t)trial;
  return change_table(changed);
}

static void roll_back(void) {
  uint8_t changed[UPDATE_TABLE_BYTES];
  memcpy(changed, table, sizeof changed);
  changed[TRIAL_AT] = TRIAL_NONE;
  memcpy(changed + FAILED_AT, slot_at(table, idle_slot()) + SLOT_DIGEST_AT, UPDATE_DIGEST_BYTES);
  change_table(changed);
}

/// Of a slot that an update has been to, else of what the board was shipped with.
static void version_of(const uint8_t *slot, uint16_t version[3]) {
  for (int i = 0; i < 3; i++) {
    version[i] = slot[SLOT_KNOWN_AT] ? get16(slot + SLOT_VERSION_AT + 2 * i) : options->version[i];
  }
}

/// Below 0 where `a` is the older one, 0 where they are the same.
static int compare_versions(const uint16_t a[3], const uint16_t b[3]) {
  for (int i = 0; i < 3; i++) {
    if (a[i] != b[i]) return (int)a[i] - (int)b[i];
  }
  return 0;
}

/// The board has been shipped anew, with something newer than what updates had brought: these are forgotten.
static bool forget_outdated(void) {
  uint8_t changed[UPDATE_TABLE_BYTES];
  uint16_t version[3];
  const uint8_t *slot = slot_at(table, table[ACTIVE_AT]);
  version_of(slot, version);
  if (slot[SLOT_IS_OLDER_AT] || compare_versions(options->version, version) <= 0) return false;
  memcpy(changed, table, sizeof changed);
  changed[ACTIVE_AT] = 0;
  changed[TRIAL_AT] = TRIAL_NONE;
  memset(changed + SLOTS_AT, 0, 2 * SLOT_BYTES);
  if (change_table(changed)) return true;
  // What cannot be written down is true all the same, and found out again at the next start.
  memcpy(table + ACTIVE_AT, changed + ACTIVE_AT, CRC_AT - ACTIVE_AT);
  return true;
}

struct update_start update_boot(const struct update_options *from, uint32_t now) {
  options = from;
  total = 0;
  refused_code = 0;
  is_on_trial = false;
  is_put_off = false;
  read_table();
  struct update_start start = {.was_outdated = forget_outdated()};
  start.slot = table[ACTIVE_AT];
  if (table[TRIAL_AT] == TRIAL_STARTED) {
    roll_back();
    start.was_rolled_back = true;
  } else if (table[TRIAL_AT] == TRIAL_PENDING && set_trial(TRIAL_STARTED)) {
    is_on_trial = true;
    trial_ends = now + (options->trial_ms ? options->trial_ms : UPDATE_TRIAL_MS);
    start.slot = idle_slot();
    start.is_on_trial = true;
  } else if (table[TRIAL_AT] == TRIAL_PENDING) {
    // What cannot be written down as begun is not begun: it would never be given up.
    is_put_off = true;
    start.is_put_off = true;
  }
  const uint8_t *slot = slot_at(table, start.slot);
  start.bytes = slot[SLOT_KNOWN_AT] ? get32(slot + SLOT_BYTES_AT) : 0;
  version_of(slot, start.version);
  return start;
}

void update_confirm(void) {
  // Not where the table says so: what came back may run while that could not be written down.
  if (!is_on_trial) return;
  uint8_t changed[UPDATE_TABLE_BYTES];
  memcpy(changed, table, sizeof changed);
  changed[ACTIVE_AT] = idle_slot();
  changed[TRIAL_AT] = TRIAL_NONE;
  if (change_table(changed)) is_on_trial = false;
}

bool update_is_accepted(void) {
  return table[TRIAL_AT] == TRIAL_PENDING && !is_put_off;
}

uint32_t update_remaining_ms(uint32_t now) {
  if (!is_on_trial) return UINT32_MAX;
  int32_t left = (int32_t)(trial_ends - now);
  return left > 0 ? (uint32_t)left : 0;
}

bool update_is_overdue(uint32_t now) {
  return update_remaining_ms(now) == 0;
}

void update_version(uint16_t version[3]) {
  version_of(slot_at(table, table[ACTIVE_AT]), version);
}

/// The header's version, compared as compare_versions does.
static int compare_header(const uint16_t version[3]) {
  uint16_t its[3];
  for (int i = 0; i < 3; i++) its[i] = get16(header + VERSION_AT + 2 * i);
  return compare_versions(its, version);
}

/// The header's version is newer than what is active.
static bool is_newer(void) {
  uint16_t version[3];
  update_version(version);
  return compare_header(version) > 0;
}

/// A text of the header, which zeros fill up.
static bool is_text(size_t at, const char *text) {
  size_t bytes = strlen(text);
  if (bytes > UPDATE_NAME_BYTES_MAX || memcmp(header + at, text, bytes) != 0) return false;
  return bytes == UPDATE_NAME_BYTES_MAX || header[at + bytes] == 0;
}

/// The very update that failed is not tried again, whatever it allows: whoever sends it would do so for ever.
static bool has_failed(void) {
  if (memcmp(header + DIGEST_AT, table + FAILED_AT, UPDATE_DIGEST_BYTES) != 0) return false;
  return !(header[FLAGS_AT] & FLAG_AGAIN) || get32(slot_at(table, idle_slot())) == id;
}

/// The header is whole: may this be installed at all? Nothing is written before.
static int32_t examine(void) {
  uint32_t bytes = get32(header + BYTES_AT);
  if (get32(header) != HEADER_MAGIC || header[FORMAT_AT] != HEADER_FORMAT) return UPDATE_FORMAT;
  // Who calls one update by the name of another could have it tried again, or have the other taken for one that is here.
  if (get32(header + UPDATE_SIGNED_BYTES) != id) return UPDATE_FORMAT;
  if (!update_port_verify(header, UPDATE_SIGNED_BYTES, header + UPDATE_SIGNED_BYTES)) return UPDATE_SIGNATURE;
  if (!is_text(NAME_AT, options->name) || get16(header + ABI_AT) != options->abi) return UPDATE_FOREIGN;
  if (!is_text(BOARD_AT, options->board) && !is_text(BOARD_AT, "*")) return UPDATE_FOREIGN;
  if (bytes == 0 || bytes > update_port_slot_bytes()) return UPDATE_TOO_LONG;
  if (!(header[FLAGS_AT] & FLAG_DOWNGRADE) && !is_newer()) return UPDATE_VERSION;
  if (has_failed()) return UPDATE_FAILED;
  is_examined = true;
  return update_port_erase(idle_slot()) ? 0 : UPDATE_STORAGE;
}

/// All octets are here.
static int32_t accept(void) {
  uint8_t digest[UPDATE_DIGEST_BYTES];
  uint8_t changed[UPDATE_TABLE_BYTES];
  if (!update_port_digest(idle_slot(), get32(header + BYTES_AT), digest)) return UPDATE_STORAGE;
  if (memcmp(digest, header + DIGEST_AT, sizeof digest) != 0) return UPDATE_DAMAGED;
  memcpy(changed, table, sizeof changed);
  uint8_t *slot = slot_at(changed, idle_slot());
  put32(slot, id);
  slot[SLOT_KNOWN_AT] = 1;
  slot[SLOT_IS_OLDER_AT] = compare_header(options->version) < 0;
  memcpy(slot + SLOT_VERSION_AT, header + VERSION_AT, 6);
  memcpy(slot + SLOT_BYTES_AT, header + BYTES_AT, 4);
  memcpy(slot + SLOT_DIGEST_AT, digest, sizeof digest);
  changed[TRIAL_AT] = TRIAL_PENDING;
  return change_table(changed) ? 0 : UPDATE_STORAGE;
}

/// The chunk that is next in order. Returns 0, or why the whole update is refused.
static int32_t take(const uint8_t *part, size_t bytes) {
  size_t of_header = taken < UPDATE_HEADER_BYTES ? UPDATE_HEADER_BYTES - taken : 0;
  if (of_header > bytes) of_header = bytes;
  if (of_header > 0) memcpy(header + taken, part, of_header);
  taken += (uint32_t)bytes;
  next++;
  bool is_last = next == total;
  if (!is_examined) {
    if (taken < UPDATE_HEADER_BYTES) return is_last ? UPDATE_FORMAT : 0;
    int32_t code = examine();
    if (code != 0) return code;
  }
  uint32_t end = taken - UPDATE_HEADER_BYTES;
  uint32_t whole = get32(header + BYTES_AT);
  if (is_last ? end != whole : end >= whole) return UPDATE_FORMAT;
  size_t of_module = bytes - of_header;
  if (of_module > 0 && !update_port_write(idle_slot(), end - (uint32_t)of_module, part + of_header, of_module)) return UPDATE_STORAGE;
  return is_last ? accept() : 0;
}

/// In order: the next chunk is taken, everything else is answered with what is missing.
static int32_t place(const uint8_t *chunk, size_t bytes) {
  uint16_t sequence = get16(chunk + SEQUENCE_AT);
  uint16_t its_total = get16(chunk + TOTAL_AT);
  uint32_t its_id = get32(chunk + ID_AT);
  if (total != its_total || id != its_id) {
    if (sequence > 0) return its_total + UPDATE_GAP;
    id = its_id;
    total = its_total;
    next = 0;
    taken = 0;
    is_examined = false;
    refused_code = 0;
  }
  if (sequence == next) {
    int32_t code = take(chunk + CHUNK_HEADER_BYTES, bytes - CHUNK_HEADER_BYTES);
    if (code != 0) {
      total = 0;
      refused_id = its_id;
      refused_code = code;
      return code;
    }
  }
  return total - next + (sequence > next ? UPDATE_GAP : 0);
}

int32_t update_chunk(const uint8_t *chunk, size_t bytes) {
  if (bytes <= CHUNK_HEADER_BYTES || chunk[0] != CHUNK_VERSION) return UPDATE_FORMAT;
  if (get16(chunk + SEQUENCE_AT) >= get16(chunk + TOTAL_AT)) return UPDATE_FORMAT;
  bool is_settled = table[TRIAL_AT] == TRIAL_NONE;
  uint32_t its_id = get32(chunk + ID_AT);
  const uint8_t *newest = slot_at(table, is_settled ? table[ACTIVE_AT] : idle_slot());
  if (newest[SLOT_KNOWN_AT] && get32(newest) == its_id) return 0; // a late copy of what has been taken
  if (!is_settled) return UPDATE_WRONG_STATE; // the other slot is what one can go back to
  if (get16(chunk + SEQUENCE_AT) > 0 && refused_code != 0 && refused_id == its_id) return refused_code;
  return place(chunk, bytes);
}
