// Zephyr's sockets, by the names of boards/common/udp-link.c.
#ifndef THIMBLE_UDP_SOCKETS_H
#define THIMBLE_UDP_SOCKETS_H

#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>

#define udp_socket zsock_socket
#define udp_bind zsock_bind
#define udp_sendto zsock_sendto
#define udp_recvfrom zsock_recvfrom
#define udp_poll zsock_poll
#define udp_pollfd zsock_pollfd
#define UDP_POLLIN ZSOCK_POLLIN
#define udp_pton zsock_inet_pton
#define udp_sleep(ms) ((void)k_msleep(ms))

#endif
