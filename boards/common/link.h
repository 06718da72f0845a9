// How datagrams come and go, for loop.c and lockstep.c: over SLIP on a UART (link-serial.c), or as a port of an operating
// system does it with sockets. board_send (module.h) is the other direction.
#ifndef THIMBLE_LINK_H
#define THIMBLE_LINK_H

#include <stddef.h>
#include <stdint.h>

/// Waits at most `ms` for a datagram and writes it to `buffer`. `from`, of `from_max` octets, gets the radio's address that
/// it has come from, `from_bytes` its length (0: nobody knows). Returns its octets; 0 where none has come, which may be
/// before `ms` are over, and after which `buffer` may have changed. One that is longer than `max` is dropped.
size_t link_receive(uint8_t *buffer, size_t max, uint8_t *from, size_t from_max, size_t *from_bytes, uint32_t ms);

/// A log line for people, as board_log, with text that ends with 0.
void link_log(int32_t level, const char *text);

#endif
