// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#define ZSOCK_POLLIN 1
struct zsock_pollfd {
  int fd;
  short events;
  short revents;
};
int zsock_socket(int family, int type, int protocol);
int zsock_bind(int sock, const struct sockaddr *address, socklen_t bytes);
ssize_t zsock_sendto(int sock, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t to_bytes);
ssize_t zsock_recvfrom(int sock, void *data, size_t max, int flags, struct sockaddr *from, socklen_t *from_bytes);
int zsock_poll(struct zsock_pollfd *descriptors, int count, int timeout);
int zsock_inet_pton(int family, const char *text, void *address);
