// Zephyr beneath the C that boards share: time, the part's serial number, a watchdog, and the log.
#include "thimble.h"

#include <zephyr/device.h>
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/reboot.h>
#include <zephyr/task_wdt/task_wdt.h>

#include "link.h"
#include "port.h"
#include "restart.h"
#include "udp-link.h"

LOG_MODULE_REGISTER(thimble, CONFIG_THIMBLE_LOG_LEVEL);

/// WAMR's instructions that one call may take: about a second.
#define BUDGET 10000000
#define ID_BYTES_MAX 16
/// FNV-1a (RFC draft eastlake-fnv), 32 bits.
#define FNV_OFFSET 2166136261u
#define FNV_PRIME 16777619u

static uint64_t pool[CONFIG_THIMBLE_POOL_BYTES / sizeof(uint64_t)];
static int watchdog_channel = -1;

void port_init(void) {}

uint32_t port_now_ms(void) { return k_uptime_get_32(); }

uint32_t port_cycles(void) { return k_cycle_get_32(); }

/// All of the part's id, for which octets differ is the maker's choice.
uint32_t port_seed(void) {
  uint8_t id[ID_BYTES_MAX];
  const long bytes = (long)hwinfo_get_device_id(id, sizeof id);
  uint32_t hash = FNV_OFFSET;
  for (long i = 0; i < bytes; i++) hash = (hash ^ id[i]) * FNV_PRIME;
  return hash;
}

/// Why the board restarts itself, over the restart: the task watchdog's own is a reset by software, as others are.
#define BY_WATCHDOG 0x77647400u
static __noinit uint32_t reset_word;

static void watchdog_callback(int channel, void *data) {
  (void)channel;
  (void)data;
  reset_word = BY_WATCHDOG;
  sys_reboot(SYS_REBOOT_COLD);
}

/// Behind the budget of instructions: the task watchdog resets the board.
void port_watchdog(uint32_t ms) {
  if (watchdog_channel >= 0) (void)task_wdt_delete(watchdog_channel);
  watchdog_channel = ms > 0 ? task_wdt_add(ms, watchdog_callback, NULL) : -1;
}

uint32_t port_stack_used(void) { return 0; }

void restart_prepare(bool has_failed, uint32_t wait_ms) {
  (void)has_failed;
  (void)k_msleep((int32_t)wait_ms);
}

void link_log(int32_t level, const uint8_t *text, size_t bytes) {
  if (level == LINK_LOG_ERROR) LOG_ERR("%.*s", (int)bytes, (const char *)text);
  else if (level == LINK_LOG_WARNING) LOG_WRN("%.*s", (int)bytes, (const char *)text);
  else LOG_INF("%.*s", (int)bytes, (const char *)text);
}

static void look_why(void) {
  uint32_t cause = 0;
  const bool is_hardware = hwinfo_get_reset_cause(&cause) == 0 && (cause & RESET_WATCHDOG) != 0;
  if (is_hardware || reset_word == BY_WATCHDOG) restart_because(PORT_BOOT_WATCHDOG);
  reset_word = 0;
  (void)hwinfo_clear_reset_cause();
}

const char *thimble_run(const uint8_t *module, size_t module_bytes, size_t stack_bytes, const char *gateway, uint16_t port) {
  const struct udp_link_options options = {
      .wamr = {.module = module,
               .module_bytes = module_bytes,
               .pool = pool,
               .pool_bytes = sizeof pool,
               .stack_bytes = stack_bytes,
               .budget = BUDGET},
      .gateway = gateway,
      .port = port,
  };
  if (task_wdt_init(NULL) != 0) return "no task watchdog";
  look_why();
  return udp_link_run(&options);
}
