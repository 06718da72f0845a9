// How datagrams come and go, for loop.c and lockstep.c: over SLIP on a UART (link-serial.c), or as a port of an operating
// system does it with sockets.
#ifndef THIMBLE_LINK_H
#define THIMBLE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// No MQTT-SN packet begins so: a frame that does is a log line. Its second octet is the level, the rest UTF-8.
#define LINK_LOG_FRAME 0x00
#define LINK_LOG_ERROR 0
#define LINK_LOG_WARNING 1
#define LINK_LOG_INFO 2

/// An address of the radio: what comes before it at the module's peer() is its length.
#define LINK_ADDRESS_BYTES_MAX 32

/// Waits at most `ms` for a datagram and writes it to `buffer`. `from`, of LINK_ADDRESS_BYTES_MAX octets, gets the radio's
/// address that it has come from, `from_bytes` its length (0: nobody knows). Returns its octets. Returns 0 where none has
/// come; that may be before `ms` are over, and `buffer` may have changed. A datagram longer than `max` is dropped.
size_t link_receive(uint8_t *buffer, size_t max, uint8_t *from, size_t *from_bytes, uint32_t ms);
/// Sends a datagram, as board_send.
int32_t link_send(const uint8_t *datagram, size_t bytes, const uint8_t *to, size_t to_bytes);
/// Sends a log line, as board_log.
void link_log(int32_t level, const uint8_t *text, size_t bytes);

// A frame in pieces, for lockstep.c: begin, any number of writes, end.
void link_begin(void);
void link_write(const uint8_t *octets, size_t bytes);
void link_end(void);

// For ports with a UART, see link-serial.c.

/// The UART's interrupt hands over what has come. Only where link_has_room.
void link_push(uint8_t octet);
/// Whether link_push may be called. Where not, the port leaves the octet in the UART until port_uart_resume.
bool link_has_room(void);
/// Whether link_receive would return at once. A core asks with interrupts off, then sleeps.
bool link_is_ready(void);

#endif
