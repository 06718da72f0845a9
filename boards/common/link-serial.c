// Datagrams in SLIP frames on a UART.
//
// The UART's interrupt fills a ring. A frame is decoded only once it is there as a whole, straight into the module's rx
// buffer: that lies in the state region, and half a frame in it would break the seal while the board waits for the rest.
#include "link.h"

#include "port.h"
#include "slip.h"

/// Holds any frame of 255 octets, all of them escaped, between two ENDs. A power of two.
#ifndef LINK_RING_BYTES
#define LINK_RING_BYTES 512
#endif

static volatile uint8_t ring[LINK_RING_BYTES];
// Volatile as they are: an octet is in the ring before it counts, and is read before its place is free.
// Counters that wrap. Each is written by one side only, so that none needs interrupts to be off.
static volatile uint32_t pushed;      // octets; by the interrupt
static volatile uint32_t taken;       // octets; by link_receive
static volatile uint32_t ends_pushed; // ENDs; by the interrupt
static volatile uint32_t ends_taken;  // ENDs; by link_receive
static struct slip_decoder decoder;

bool link_has_room(void) { return pushed - taken < LINK_RING_BYTES; }

void link_push(uint8_t octet) {
  ring[pushed % LINK_RING_BYTES] = octet;
  pushed++;
  if (octet == SLIP_END) ends_pushed++;
}

bool link_is_ready(void) { return ends_pushed != ends_taken || !link_has_room(); }

/// Decodes what is in the ring, up to an END. Returns the frame's octets, or 0; `is_touched` is set where `buffer` may
/// have changed.
static size_t decode(uint8_t *buffer, size_t max, bool *is_touched) {
  while (pushed != taken) {
    uint8_t octet = ring[taken % LINK_RING_BYTES];
    taken++;
    size_t bytes = slip_decode(&decoder, buffer, max, octet);
    if (octet == SLIP_END) {
      ends_taken++;
      return bytes;
    }
    *is_touched = true;
  }
  // The ring was full of a frame without an end: it is too long, or noise.
  decoder.is_broken = true;
  return 0;
}

size_t link_receive(uint8_t *buffer, size_t max, uint8_t *from, size_t *from_bytes, uint32_t ms) {
  (void)from;
  *from_bytes = 0;
  uint32_t since = port_now_ms();
  for (;;) {
    while (link_is_ready()) {
      bool is_touched = false;
      size_t bytes = decode(buffer, max, &is_touched);
      port_uart_resume();
      if (is_touched) return bytes; // else an END that begins a frame
    }
    uint32_t passed = port_now_ms() - since;
    if (passed >= ms) return 0;
    port_idle(ms - passed);
  }
}

void link_begin(void) { slip_end(); }

void link_write(const uint8_t *octets, size_t bytes) { slip_put(octets, bytes); }

void link_end(void) { slip_end(); }

int32_t link_send(const uint8_t *datagram, size_t bytes, const uint8_t *to, size_t to_bytes) {
  (void)to; // the line has one other end
  (void)to_bytes;
  link_begin();
  link_write(datagram, bytes);
  link_end();
  return (int32_t)bytes;
}

void link_log(int32_t level, const uint8_t *text, size_t bytes) {
  const uint8_t header[] = {LINK_LOG_FRAME, (uint8_t)level};
  link_begin();
  link_write(header, sizeof header);
  link_write(text, bytes);
  link_end();
}
