// A board of boards/common/update.c that is a process: its flash is two arrays, its power can be cut, and for SHA-256 and
// Ed25519 it asks the other end of its pipes. One command a line, one answer a line; lines that begin with ? are questions.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "update.h"

#define FLASH_BYTES 4096
#define LINE_BYTES 20000

static uint8_t flash[2][FLASH_BYTES];
static uint8_t tables[2][UPDATE_TABLE_BYTES];
static char line[LINE_BYTES];
static uint8_t octets[LINE_BYTES / 2];
static jmp_buf power_cut;
static int left = -1; // Operations on flash before the power is cut; below 0 it is not.

static void put_hex(const uint8_t *at, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) printf("%02x", at[i]);
}

static size_t get_hex(const char *text, uint8_t *to) {
  size_t bytes = 0;
  for (unsigned value; sscanf(text, "%2x", &value) == 1; text += 2) to[bytes++] = (uint8_t)value;
  return bytes;
}

static void read_line(void) {
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
}

static int are_writes_failing;

/// Changes flash, or half of it where the power is cut.
static bool change(uint8_t *to, const uint8_t *from, size_t bytes) {
  if (are_writes_failing) return false;
  if (left == 0) {
    memcpy(to, from, bytes / 2);
    longjmp(power_cut, 1);
  }
  if (left > 0) left--;
  memcpy(to, from, bytes);
  return true;
}

uint32_t update_port_slot_bytes(void) { return FLASH_BYTES; }

bool update_port_erase(uint8_t slot) {
  static uint8_t erased[FLASH_BYTES];
  memset(erased, 0xff, sizeof erased);
  return change(flash[slot], erased, sizeof erased);
}

bool update_port_write(uint8_t slot, uint32_t at, const uint8_t *from, size_t bytes) {
  return change(flash[slot] + at, from, bytes);
}

bool update_port_digest(uint8_t slot, uint32_t bytes, uint8_t digest[UPDATE_DIGEST_BYTES]) {
  printf("?digest ");
  put_hex(flash[slot], bytes);
  printf("\n");
  read_line();
  return get_hex(line, digest) == UPDATE_DIGEST_BYTES;
}

bool update_port_verify(const uint8_t *from, size_t bytes, const uint8_t signature[UPDATE_SIGNATURE_BYTES]) {
  printf("?verify ");
  put_hex(from, bytes);
  printf(" ");
  put_hex(signature, UPDATE_SIGNATURE_BYTES);
  printf("\n");
  read_line();
  return line[0] == '1';
}

bool update_port_read_table(uint8_t copy, uint8_t table[UPDATE_TABLE_BYTES]) {
  memcpy(table, tables[copy], UPDATE_TABLE_BYTES);
  return true;
}

bool update_port_write_table(uint8_t copy, const uint8_t table[UPDATE_TABLE_BYTES]) {
  return change(tables[copy], table, UPDATE_TABLE_BYTES);
}

static void boot(struct update_options *options, unsigned now) {
  struct update_start start = update_boot(options, now);
  printf("%d %u %d %d ", start.slot, (unsigned)start.bytes, start.is_on_trial, start.was_rolled_back);
  printf("%d %d %d.%d.%d\n", start.was_outdated, start.is_put_off, start.version[0], start.version[1], start.version[2]);
}

static void obey(struct update_options *options) {
  unsigned slot, number;
  uint16_t *shipped = options->version;
  if (sscanf(line, "boot %u %hu.%hu.%hu", &number, shipped, shipped + 1, shipped + 2) == 4) {
    boot(options, number);
  } else if (strncmp(line, "chunk ", 6) == 0) {
    size_t bytes = get_hex(line + 6, octets);
    printf("%d\n", (int)update_chunk(octets, bytes));
  } else if (strncmp(line, "confirm", 7) == 0) {
    update_confirm();
    printf("ok\n");
  } else if (sscanf(line, "state %u", &number) == 1) {
    uint16_t version[3];
    update_version(version);
    printf("%d %d %d.%d.%d\n", update_is_accepted(), update_is_overdue(number), version[0], version[1], version[2]);
  } else if (sscanf(line, "read %u %u", &slot, &number) == 2) {
    put_hex(flash[slot], number);
    printf("\n");
  } else if (sscanf(line, "table %u", &number) == 1) {
    put_hex(tables[number & 1], UPDATE_TABLE_BYTES);
    printf("\n");
  } else if (strncmp(line, "ship ", 5) == 0) {
    get_hex(line + 5, flash[0]);
    printf("ok\n");
  } else if (sscanf(line, "cut %d", &left) == 1 || sscanf(line, "fail %d", &are_writes_failing) == 1) {
    printf("ok\n");
  }
}

int main(void) {
  static struct update_options options = {.name = "lamp", .abi = 2, .board = "bench", .trial_ms = 1000};
  for (;;) {
    read_line();
    if (setjmp(power_cut)) {
      left = -1;
      printf("cut\n");
    } else {
      obey(&options);
    }
  }
}
