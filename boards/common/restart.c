// A reset for ports on an operating system: back to where the loop began. The module, which has failed, is instantiated anew
// by module_start; sockets stay open.
#include "restart.h"

#include <setjmp.h>
#include <stdio.h>

#include "link.h"
#include "module-wamr.h"
#include "port.h"

#define LINE_BYTES_MAX 96

enum { FAILED = 1, WANTED = 2 };

static jmp_buf beginning;
static uint32_t pause_ms;
static enum port_boot boot_reason = PORT_BOOT_POWER;

void restart_run(void (*loop)(void), uint32_t wait_ms) {
  pause_ms = wait_ms;
  switch (setjmp(beginning)) {
    case FAILED: restart_prepare(true, pause_ms); break;
    case WANTED: restart_prepare(false, 0); break;
    default: break;
  }
  for (;;) {
    loop();
  }
}

void restart_because(enum port_boot reason) { boot_reason = reason; }

void port_reset(enum port_boot reason) {
  char line[LINE_BYTES_MAX];
  const int bytes = snprintf(line, sizeof line, "trapped: %s", module_wamr_trap_text());
  link_log(LINK_LOG_ERROR, (const uint8_t *)line, bytes < (int)sizeof line ? (size_t)bytes : sizeof line - 1);
  // Who calls this knows only that the module did not come back.
  boot_reason = reason == PORT_BOOT_TRAP ? module_wamr_trap_reason() : reason;
  longjmp(beginning, FAILED);
}

void restart_now(void) { longjmp(beginning, WANTED); }

enum port_boot port_boot_reason(void) {
  const enum port_boot reason = boot_reason;
  boot_reason = PORT_BOOT_POWER;
  return reason;
}
