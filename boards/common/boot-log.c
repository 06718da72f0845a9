// The line by which a board says why it has started.
#include "boot-log.h"

#include "link.h"

#define LINE_BYTES_MAX 72

static void log_line(int32_t level, const char *text, const char *cause) {
  char line[LINE_BYTES_MAX];
  size_t bytes = 0;
  while (*text != 0 && bytes < sizeof line) line[bytes++] = *text++;
  while (*cause != 0 && bytes < sizeof line) line[bytes++] = *cause++;
  link_log(level, (const uint8_t *)line, bytes);
}

void boot_log_started(enum port_boot reason) {
  const char *cause = port_boot_cause(reason);
  if (reason == PORT_BOOT_WATCHDOG) log_line(LINK_LOG_WARNING, "started: watchdog", cause);
  else if (reason == PORT_BOOT_TRAP) log_line(LINK_LOG_WARNING, "started: trap", cause);
  else log_line(LINK_LOG_INFO, "started: power", cause);
}

void boot_log_resumed(void) { log_line(LINK_LOG_INFO, "resumed", ""); }
