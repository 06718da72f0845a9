// lwIP's sockets, by the names of boards/common/udp-link.c.
#ifndef THIMBLE_UDP_SOCKETS_H
#define THIMBLE_UDP_SOCKETS_H

#include <freertos/FreeRTOS.h>
#include <freertos/task.h>
#include <lwip/sockets.h>

#define udp_socket socket
#define udp_bind bind
#define udp_sendto sendto
#define udp_recvfrom recvfrom
#define udp_poll poll
#define udp_pollfd pollfd
#define UDP_POLLIN POLLIN
#define udp_pton inet_pton
#define udp_sleep(ms) vTaskDelay(pdMS_TO_TICKS(ms))

#endif
