// A device under WAMR on an operating system with BSD sockets (udp-link.c): what the ports for ESP-IDF and Zephyr share.
#ifndef THIMBLE_UDP_LINK_H
#define THIMBLE_UDP_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "module-wamr.h"

struct udp_link_options {
  struct module_wamr_options wamr;
  /// IPv4 address of the MQTT-SN gateway, such as "192.168.1.10".
  const char *gateway;
  uint16_t port;
};

/// Runs the module for as long as the board is on. Returns only where it cannot begin, and says why.
const char *udp_link_run(const struct udp_link_options *options);

#endif
