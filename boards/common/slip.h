// SLIP (RFC 1055): frames on a line that knows only octets. Each is sent between two ENDs, so that what noise there was
// before it is a frame of its own.
#ifndef THIMBLE_SLIP_H
#define THIMBLE_SLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLIP_END 0xc0
#define SLIP_ESC 0xdb
#define SLIP_ESC_END 0xdc
#define SLIP_ESC_ESC 0xdd

struct slip_decoder {
  size_t bytes;    ///< Of the frame so far.
  bool is_escaped; ///< An ESC has come, and not yet what it stands for.
  bool is_broken;  ///< Too long, or an escape that means nothing: up to the next END nothing counts.
};

/// Takes one octet of the line, and writes to `frame`, of `max` octets, the same at each call up to an END. Returns the
/// frame's octets where this one ends it; else 0, also at the end of an empty or broken one. Afterwards the next begins.
size_t slip_decode(struct slip_decoder *decoder, uint8_t *frame, size_t max, uint8_t octet);

/// An END to port_uart_put: before and after each frame.
void slip_end(void);
/// Octets of a frame to port_uart_put, which any number of calls may make up.
void slip_put(const uint8_t *octets, size_t bytes);

#endif
