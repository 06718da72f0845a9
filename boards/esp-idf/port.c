// ESP-IDF beneath the C that boards share: time, the chip's serial number, the task watchdog, and the log.
#include "thimble.h"

#include <inttypes.h>

#include <esp_cpu.h>
#include <esp_log.h>
#include <esp_mac.h>
#include <esp_system.h>
#include <esp_task_wdt.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include "link.h"
#include "port.h"
#include "restart.h"
#include "udp-link.h"

/// All that WAMR takes but for linear memory, which its port takes from the chip's heap.
#ifndef THIMBLE_POOL_BYTES
#define THIMBLE_POOL_BYTES (80 * 1024)
#endif
/// WAMR's instructions that one call may take: about a second.
#define BUDGET 10000000
#define US_PER_MS 1000

static uint64_t pool[THIMBLE_POOL_BYTES / sizeof(uint64_t)];

void port_init(void) {}

uint32_t port_now_ms(void) { return (uint32_t)(esp_timer_get_time() / US_PER_MS); }

uint32_t port_cycles(void) { return (uint32_t)esp_cpu_get_cycle_count(); }

/// The last four octets of the MAC address: the first are the maker's.
uint32_t port_seed(void) {
  uint8_t mac[6] = {0};
  (void)esp_efuse_mac_get_default(mac);
  return (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
}

/// Behind the budget of instructions: the task watchdog, whose time menuconfig says, resets the chip.
void port_watchdog(uint32_t ms) {
  if (ms > 0) (void)esp_task_wdt_add(NULL);
  else (void)esp_task_wdt_delete(NULL);
}

uint32_t port_stack_used(void) { return 0; }

void restart_prepare(bool has_failed, uint32_t wait_ms) {
  (void)has_failed;
  vTaskDelay(pdMS_TO_TICKS(wait_ms));
}

void link_log(int32_t level, const uint8_t *text, size_t bytes) {
  if (level == LINK_LOG_ERROR) ESP_LOGE("thimble", "%.*s", (int)bytes, (const char *)text);
  else if (level == LINK_LOG_WARNING) ESP_LOGW("thimble", "%.*s", (int)bytes, (const char *)text);
  else ESP_LOGI("thimble", "%.*s", (int)bytes, (const char *)text);
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
  if (esp_reset_reason() == ESP_RST_TASK_WDT) restart_because(PORT_BOOT_WATCHDOG);
  return udp_link_run(&options);
}
