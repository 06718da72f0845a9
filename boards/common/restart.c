// A reset for ports on an operating system: back to where the loop began. The module, which has failed, is instantiated anew
// by module_start; sockets stay open.
#include "restart.h"

#include <setjmp.h>
#include <stdio.h>

#include "link.h"
#include "module-wamr.h"
#include "port.h"
#include "restart-delay.h"

#define LINE_BYTES_MAX 96

enum { FAILED = 1, WANTED = 2 };

static jmp_buf beginning;
static bool is_patient;
static uint32_t started_ms, wait_ms;
static bool is_boards_own;
static enum port_boot boot_reason = PORT_BOOT_POWER;

void restart_run(void (*loop)(void), bool is_to_wait) {
  is_patient = is_to_wait;
  started_ms = port_now_ms();
  switch (setjmp(beginning)) {
    case FAILED:
      wait_ms = restart_delay_ms(wait_ms, port_now_ms() - started_ms);
      restart_prepare(true, is_patient ? wait_ms : 0);
      break;
    case WANTED:
      restart_prepare(false, 0);
      break;
    default: break;
  }
  for (;;) {
    loop();
  }
}

void restart_because(enum port_boot reason) {
  boot_reason = reason;
  is_boards_own = true;
}

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

const char *port_boot_cause(enum port_boot reason) {
  (void)reason;
  // Why the module failed port_reset has said.
  const char *cause = is_boards_own ? ": a call did not come back" : "";
  is_boards_own = false;
  return cause;
}

uint32_t port_restart_ms(void) { return 0; }

void port_started(void) { started_ms = port_now_ms(); }
