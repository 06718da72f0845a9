// boards/common/link-serial.c and slip.c on this machine, for tests: octets of stdin come as if over a UART, in bursts of
// random length; frames go back to stdout as the firmware would send them. Arguments: the longest frame, a seed.
#include <stdio.h>
#include <stdlib.h>

#include "link.h"
#include "port.h"

#define BURST_BYTES_MAX 600
#define FRAMES_UNTIL_TIME 1000

static uint32_t now_ms;
static int is_over;

uint32_t port_now_ms(void) { return now_ms; }

void port_uart_put(uint8_t octet) { putchar(octet); }

void port_uart_resume(void) {}

/// The interrupt: as many octets as there is room for, or fewer.
void port_idle(uint32_t ms) {
  (void)ms;
  if (is_over) now_ms += FRAMES_UNTIL_TIME;
  for (int left = rand() % BURST_BYTES_MAX; left > 0 && link_has_room(); left--) {
    int octet = getchar();
    if (octet == EOF) {
      is_over = 1;
      return;
    }
    link_push((uint8_t)octet);
  }
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  size_t max = (size_t)atoi(arguments[1]);
  srand((unsigned)atoi(arguments[2]));
  uint8_t *buffer = malloc(max); // its end is guarded by the sanitizer
  uint8_t from[LINK_ADDRESS_BYTES_MAX];
  size_t from_bytes = 1;
  while (!is_over || link_is_ready()) {
    size_t bytes = link_receive(buffer, max, from, &from_bytes, FRAMES_UNTIL_TIME / 2);
    if (from_bytes != 0) return 3;
    if (bytes > 0) link_send(buffer, bytes, from, 0);
  }
  free(buffer);
  return 0;
}
