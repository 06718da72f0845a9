// The loop of a board (docs/ABI.md): start or resume, then for ever poll, wait, receive.
#include "loop.h"

#include "boot-log.h"
#include "link.h"
#include "module.h"
#include "port.h"

/// Who waits longer than this is sealed first: a reset while the board waits loses nothing.
#define SEAL_MS 100
/// Before shorter waits where so many times as long as the checksum took have passed since the last one, or SEAL_MS: what an
/// application does that has its turn every few milliseconds is kept as well, and the checksum does not take all the time.
#define SEAL_SHARE 8

/// The result of a call into the module, which may not take longer than its budget. One that trapped is started again.
static int32_t watched(int32_t result) {
  port_watchdog(0);
  if (result == MODULE_TRAPPED) port_reset(PORT_BOOT_TRAP);
  return result;
}

#define WATCHED(call) (port_watchdog(LOOP_BUDGET_MS), watched(call))

/// Before a module that has failed starts again. What comes meanwhile is for a session that is no more.
static void wait_out(uint32_t ms) {
  uint8_t from[LINK_ADDRESS_BYTES_MAX];
  size_t from_bytes, max;
  const uint32_t since = port_now_ms();
  for (uint32_t passed = 0; passed < ms; passed = port_now_ms() - since) {
    uint8_t *rx = module_rx(&max);
    (void)link_receive(rx, max, from, &from_bytes, ms - passed);
  }
}

/// After a power-on whose memory was kept (a reset button, a brown-out) the module goes on; after a failure it does not,
/// since the state it failed in would make it fail again.
static void boot(void) {
  enum port_boot reason = port_boot_reason();
  if (reason == PORT_BOOT_POWER && WATCHED(module_resume(port_now_ms())) == 0) {
    boot_log_resumed();
    port_started();
    return;
  }
  boot_log_started(reason);
  wait_out(port_restart_ms());
  port_started();
  WATCHED(module_start(port_now_ms(), port_seed()));
}

/// Seals the state where the wait is worth it.
static void seal_for(int32_t delay_ms) {
  static uint32_t sealed_ms, took_ms;
  const uint32_t now = port_now_ms();
  const uint32_t apart_ms = SEAL_SHARE * took_ms < SEAL_MS ? SEAL_SHARE * took_ms : SEAL_MS;
  if (delay_ms <= SEAL_MS && now - sealed_ms < apart_ms) return;
  WATCHED(module_seal());
  sealed_ms = port_now_ms();
  took_ms = sealed_ms - now;
}

void loop_run(void) {
  uint8_t from[LINK_ADDRESS_BYTES_MAX];
  size_t from_bytes;
  size_t max;
  boot();
  uint8_t *rx = module_rx(&max);
  for (;;) {
    int32_t delay_ms = WATCHED(module_poll(port_now_ms()));
    seal_for(delay_ms);
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
