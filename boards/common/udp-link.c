// Datagrams over UDP with BSD sockets. Addresses are as docs/ABI.md has them: 4 octets of IP, then 2 of the port, big-endian,
// which is also how they lie in a sockaddr_in.
#include "udp-link.h"

#include <string.h>

#include "link.h"
#include "loop.h"
#include "restart.h"
// The port's: includes the sockets, and names them udp_socket, udp_bind, udp_sendto, udp_recvfrom, udp_poll, udp_pton,
// and a sleep of milliseconds udp_sleep.
#include "udp-sockets.h"

#define IP_BYTES 4
#define PORT_BYTES 2
#define ERROR_BYTES 128
#define POLL_FAILED_MS 100

static int sock = -1;
static struct sockaddr_in gateway;
static char error[ERROR_BYTES];

static bool open_socket(const struct udp_link_options *options) {
  struct sockaddr_in any;
  memset(&any, 0, sizeof any);
  memset(&gateway, 0, sizeof gateway);
  any.sin_family = AF_INET;
  gateway.sin_family = AF_INET;
  gateway.sin_port = htons(options->port);
  if (udp_pton(AF_INET, options->gateway, &gateway.sin_addr) != 1) return false;
  sock = udp_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  return sock >= 0 && udp_bind(sock, (const struct sockaddr *)&any, sizeof any) == 0;
}

const char *udp_link_run(const struct udp_link_options *options) {
  if (!module_wamr_open(&options->wamr, error, sizeof error)) return error;
  if (!open_socket(options)) return "no socket, or the gateway is no address";
  restart_run(loop_run, true);
}

size_t link_receive(uint8_t *buffer, size_t max, uint8_t *from, size_t *from_bytes, uint32_t ms) {
  struct sockaddr_in sender;
  socklen_t sender_bytes = sizeof sender;
  struct udp_pollfd wait = {.fd = sock, .events = UDP_POLLIN};
  *from_bytes = 0;
  const int timeout = ms > INT32_MAX ? INT32_MAX : (int)ms;
  const int ready = udp_poll(&wait, 1, timeout);
  if (ready < 0) udp_sleep(POLL_FAILED_MS); // as without memory, or without a network: it is not to spin
  if (ready <= 0) return 0;
  // What is longer than `max` is cut, and its length then says nothing: the module drops it as malformed.
  const long bytes = (long)udp_recvfrom(sock, buffer, max, 0, (struct sockaddr *)&sender, &sender_bytes);
  if (bytes <= 0) return 0;
  memcpy(from, &sender.sin_addr, IP_BYTES);
  memcpy(from + IP_BYTES, &sender.sin_port, PORT_BYTES);
  *from_bytes = IP_BYTES + PORT_BYTES;
  return (size_t)bytes;
}

int32_t link_send(const uint8_t *datagram, size_t bytes, const uint8_t *to, size_t to_bytes) {
  struct sockaddr_in target = gateway;
  if (to_bytes == IP_BYTES + PORT_BYTES) {
    memcpy(&target.sin_addr, to, IP_BYTES);
    memcpy(&target.sin_port, to + IP_BYTES, PORT_BYTES);
  }
  return (int32_t)udp_sendto(sock, datagram, bytes, 0, (const struct sockaddr *)&target, sizeof target);
}
