// Where the board's loop waits: the place at which another module may be started, since no call into this one is under way.
// In C, for a jump back to the beginning must not leave functions of Rust behind.
#include "link.h"
#include "restart.h"

/// As link_receive; and whether an update is to be started, in src/port.rs.
size_t port_receive(uint8_t *buffer, size_t max, uint8_t *from, size_t *from_bytes, uint32_t ms);
bool port_is_to_restart(void);

size_t link_receive(uint8_t *buffer, size_t max, uint8_t *from, size_t *from_bytes, uint32_t ms) {
  const size_t bytes = port_receive(buffer, max, from, from_bytes, ms);
  if (port_is_to_restart()) restart_now();
  return bytes;
}
