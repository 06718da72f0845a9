// The loop of a board (docs/ABI.md): start or resume, then for ever poll, wait, receive.
#include "loop.h"

#include "boot-log.h"
#include "link.h"
#include "module.h"
#include "port.h"

/// Who waits longer than this is sealed first: a reset while the board waits loses nothing. Shorter waits are not worth the
/// checksum.
#define SEAL_MS 100

/// The result of a call into the module, which may not take longer than its budget. One that trapped is started again.
static int32_t watched(int32_t result) {
  port_watchdog(0);
  if (result == MODULE_TRAPPED) port_reset(PORT_BOOT_TRAP);
  return result;
}

#define WATCHED(call) (port_watchdog(LOOP_BUDGET_MS), watched(call))

/// After a power-on whose memory was kept (a reset button, a brown-out) the module goes on; after a failure it does not,
/// since the state it failed in would make it fail again.
static void boot(void) {
  enum port_boot reason = port_boot_reason();
  if (reason == PORT_BOOT_POWER && WATCHED(module_resume(port_now_ms())) == 0) {
    boot_log_resumed();
    return;
  }
  boot_log_started(reason);
  WATCHED(module_start(port_now_ms(), port_seed()));
}

void loop_run(void) {
  uint8_t from[LINK_ADDRESS_BYTES_MAX];
  size_t from_bytes;
  size_t max;
  boot();
  uint8_t *rx = module_rx(&max);
  for (;;) {
    int32_t delay_ms = WATCHED(module_poll(port_now_ms()));
    if (delay_ms > SEAL_MS) WATCHED(module_seal());
    size_t bytes = link_receive(rx, max, from, &from_bytes, delay_ms > 0 ? (uint32_t)delay_ms : 0);
    if (bytes > 0) WATCHED(module_receive(rx, bytes, from, from_bytes, port_now_ms()));
  }
}

int32_t board_send(const uint8_t *datagram, size_t bytes, const uint8_t *to, size_t to_bytes) {
  return link_send(datagram, bytes, to, to_bytes);
}

void board_log(int32_t level, const uint8_t *text, size_t bytes) { link_log(level, text, bytes); }

void board_event(int32_t kind, const uint8_t *event, size_t bytes) {
  // A modem has a native application beside it, which would look here.
  (void)kind;
  (void)event;
  (void)bytes;
}
