// The line by which a board says why it has started.
#include "boot-log.h"

#include <string.h>

#include "link.h"

static void log_line(const char *text) { link_log(LINK_LOG_INFO, (const uint8_t *)text, strlen(text)); }

void boot_log_started(enum port_boot reason) {
  if (reason == PORT_BOOT_WATCHDOG) log_line("started: watchdog");
  else if (reason == PORT_BOOT_TRAP) log_line("started: trap");
  else log_line("started: power");
}

void boot_log_resumed(void) { log_line("resumed"); }
