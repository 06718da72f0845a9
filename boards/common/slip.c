// SLIP, both ways.
#include "slip.h"

#include "port.h"

static void append(struct slip_decoder *decoder, uint8_t *frame, size_t max, uint8_t octet) {
  if (decoder->bytes == max) decoder->is_broken = true;
  else frame[decoder->bytes++] = octet;
}

/// The length of what has come, and a new beginning.
static size_t finish(struct slip_decoder *decoder) {
  size_t bytes = decoder->is_broken || decoder->is_escaped ? 0 : decoder->bytes;
  *decoder = (struct slip_decoder){0};
  return bytes;
}

size_t slip_decode(struct slip_decoder *decoder, uint8_t *frame, size_t max, uint8_t octet) {
  if (octet == SLIP_END) return finish(decoder);
  if (decoder->is_broken) return 0;
  if (decoder->is_escaped) {
    decoder->is_escaped = false;
    if (octet == SLIP_ESC_END) append(decoder, frame, max, SLIP_END);
    else if (octet == SLIP_ESC_ESC) append(decoder, frame, max, SLIP_ESC);
    else decoder->is_broken = true;
  } else if (octet == SLIP_ESC) {
    decoder->is_escaped = true;
  } else {
    append(decoder, frame, max, octet);
  }
  return 0;
}

void slip_end(void) { port_uart_put(SLIP_END); }

void slip_put(const uint8_t *octets, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    bool is_end = octets[i] == SLIP_END;
    if (is_end || octets[i] == SLIP_ESC) {
      port_uart_put(SLIP_ESC);
      port_uart_put(is_end ? SLIP_ESC_END : SLIP_ESC_ESC);
    } else {
      port_uart_put(octets[i]);
    }
  }
}
