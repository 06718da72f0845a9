// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
// lwIP's sockets are those of POSIX by name and type.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
