// The module in somebody else's hands: every call comes over the link with its time and its octets, everything the module
// sends goes back. The same inputs can so be given to every engine, and each octet of output compared.
//
// Frames, whose first octet says which; u32 and i32 little-endian:
//
//   to the board    's' now seed                          start
//                   'r' now fromBytes:u8 from datagram    receive
//                   'p' now                               poll
//                   'z'                                   seal
//                   'u' now                               resume
//                   'v' bytes:u8 name count:u8 arguments octets
//                                                         the octets to rx(), then a verb of a modem module
//                   'i'                                   the state region
//                   'm'                                   measurements
//   from the board  'S' toBytes:u8 to datagram            the module sends (during a call)
//                   'E' kind:u8 event name data           an event of a modem module, its pointers as 0, then the octets
//                                                         that they point to (during a call)
//                   'I' octets                            the state region
//                   'R' result                            last; after 'i' the region's octets; -99 for a call (or verb) nobody knows
//                   'R' stack cycles instructions         after 'm': most of the stack ever used, in octets; what the last
//                                                         call took, board_send not counted; 0 where nobody knows
#include "boot-log.h"
#include "link.h"
#include "loop.h"
#include "module.h"
#include "port.h"

#include <string.h>

#define U32_BYTES 4
#define OCTETS_MAX 255
#define RECEIVE_BYTES_MAX (1 + U32_BYTES + 1 + LINK_ADDRESS_BYTES_MAX + OCTETS_MAX)
/// Of a verb, with what ends it.
#define NAME_BYTES_MAX 24
#define VERB_BYTES_MAX (1 + 1 + NAME_BYTES_MAX + 1 + MODULE_ARGUMENTS_MAX * U32_BYTES + OCTETS_MAX)
#define CALL_BYTES_MAX (VERB_BYTES_MAX > RECEIVE_BYTES_MAX ? VERB_BYTES_MAX : RECEIVE_BYTES_MAX)
#define UNKNOWN_CALL (-99)
/// The instructions of the last call, on engines that can tell.
#ifndef LOCKSTEP_INSTRUCTIONS
#define LOCKSTEP_INSTRUCTIONS() 0
#endif
/// Where an event has the addresses of name and data, which differ from engine to engine; and their lengths, of 16 bits.
#define EVENT_POINTERS_AT 8
#define EVENT_POINTERS_BYTES 8
#define EVENT_NAME_AT 8
#define EVENT_DATA_AT 12
#define EVENT_NAME_BYTES_AT 16
#define EVENT_DATA_BYTES_AT 18
#define EVENT_BYTES 20

static uint8_t call[CALL_BYTES_MAX];
static uint32_t call_cycles;
/// Cycles of the call under way that were spent in here.
static uint32_t outside_cycles;

static uint32_t u16_at(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

static uint32_t u32_at(const uint8_t *at) { return u16_at(at) | u16_at(at + 2) << 16; }

static uint32_t read_u32(size_t at) { return u32_at(call + at); }

static void write_u32(uint32_t value) {
  const uint8_t octets[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
  link_write(octets, sizeof octets);
}

static void begin(char what) {
  const uint8_t octet = (uint8_t)what;
  link_begin();
  link_write(&octet, 1);
}

static void answer(int32_t result) {
  begin('R');
  write_u32((uint32_t)result);
  link_end();
}

static int32_t receive(size_t bytes) {
  const size_t from_at = 1 + U32_BYTES + 1;
  const size_t from_bytes = call[from_at - 1];
  if (bytes < from_at + from_bytes) return UNKNOWN_CALL;
  const size_t datagram_at = from_at + from_bytes;
  return module_receive(call + datagram_at, bytes - datagram_at, call + from_at, from_bytes, read_u32(1));
}

static int32_t verb(size_t bytes) {
  char name[NAME_BYTES_MAX];
  uint32_t arguments[MODULE_ARGUMENTS_MAX];
  const size_t name_bytes = bytes > 1 ? call[1] : 0;
  const size_t count_at = 2 + name_bytes;
  if (name_bytes >= sizeof name || bytes <= count_at) return UNKNOWN_CALL;
  const size_t count = call[count_at];
  const size_t octets_at = count_at + 1 + count * U32_BYTES;
  if (count > MODULE_ARGUMENTS_MAX || bytes < octets_at) return UNKNOWN_CALL;
  memcpy(name, call + 2, name_bytes);
  name[name_bytes] = '\0';
  for (size_t i = 0; i < count; i++) arguments[i] = read_u32(count_at + 1 + i * U32_BYTES);
  size_t rx_bytes;
  uint8_t *rx = module_rx(&rx_bytes);
  const size_t octets = bytes - octets_at;
  memcpy(rx, call + octets_at, octets < rx_bytes ? octets : rx_bytes);
  const int32_t result = module_verb(name, arguments, count);
  return result == MODULE_NO_VERB ? UNKNOWN_CALL : result;
}

static int32_t perform(size_t bytes) {
  switch (call[0]) {
    case 's': return bytes < 1 + 2 * U32_BYTES ? UNKNOWN_CALL : module_start(read_u32(1), read_u32(1 + U32_BYTES));
    case 'r': return bytes < 1 + U32_BYTES + 1 ? UNKNOWN_CALL : receive(bytes);
    case 'p': return bytes < 1 + U32_BYTES ? UNKNOWN_CALL : module_poll(read_u32(1));
    case 'u': return bytes < 1 + U32_BYTES ? UNKNOWN_CALL : module_resume(read_u32(1));
    case 'z': return module_seal();
    case 'v': return verb(bytes);
    default: return UNKNOWN_CALL;
  }
}

static void perform_and_answer(size_t bytes) {
  port_watchdog(LOOP_BUDGET_MS);
  outside_cycles = 0;
  uint32_t begun = port_cycles();
  int32_t result = perform(bytes);
  call_cycles = port_cycles() - begun - outside_cycles;
  port_watchdog(0);
  if (result == MODULE_TRAPPED) port_reset(PORT_BOOT_TRAP);
  answer(result);
}

static void send_image(void) {
  size_t bytes;
  const uint8_t *image = module_image(&bytes);
  begin('I');
  link_write(image, bytes);
  link_end();
  answer((int32_t)bytes);
}

static void send_measurements(void) {
  begin('R');
  write_u32(port_stack_used());
  write_u32(call_cycles);
  write_u32(LOCKSTEP_INSTRUCTIONS());
  link_end();
}

void lockstep_run(void) {
  uint8_t from[LINK_ADDRESS_BYTES_MAX];
  size_t from_bytes;
  boot_log_started(port_boot_reason());
  for (;;) {
    size_t bytes = link_receive(call, sizeof call, from, &from_bytes, MODULE_NEVER_MS);
    if (bytes == 0) continue;
    if (call[0] == 'i') send_image();
    else if (call[0] == 'm') send_measurements();
    else perform_and_answer(bytes);
  }
}

int32_t board_send(const uint8_t *datagram, size_t bytes, const uint8_t *to, size_t to_bytes) {
  uint32_t begun = port_cycles();
  const uint8_t length = (uint8_t)to_bytes;
  begin('S');
  link_write(&length, 1);
  link_write(to, to_bytes);
  link_write(datagram, bytes);
  link_end();
  outside_cycles += port_cycles() - begun;
  return (int32_t)bytes;
}

/// What an event points to. Where it points to nothing, the frame is too short, which the host tells.
static void write_octets(uint32_t at, size_t bytes) {
  const uint8_t *octets = bytes > 0 ? module_octets(at, bytes) : NULL;
  if (octets != NULL) link_write(octets, bytes);
}

void board_event(int32_t kind, const uint8_t *event, size_t bytes) {
  uint8_t copy[EVENT_BYTES];
  if (bytes != sizeof copy) return;
  uint32_t begun = port_cycles();
  memcpy(copy, event, sizeof copy);
  memset(copy + EVENT_POINTERS_AT, 0, EVENT_POINTERS_BYTES);
  const uint8_t octet = (uint8_t)kind;
  begin('E');
  link_write(&octet, 1);
  link_write(copy, sizeof copy);
  write_octets(u32_at(event + EVENT_NAME_AT), u16_at(event + EVENT_NAME_BYTES_AT));
  write_octets(u32_at(event + EVENT_DATA_AT), u16_at(event + EVENT_DATA_BYTES_AT));
  link_end();
  outside_cycles += port_cycles() - begun;
}

void board_log(int32_t level, const uint8_t *text, size_t bytes) { link_log(level, text, bytes); }
