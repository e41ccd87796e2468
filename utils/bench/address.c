#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int address_connect(const char *address) {
    int fd, on = 1;
    if (strchr(address, '/')) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        if (strlen(address) >= sizeof to.sun_path) return errno = ENAMETOOLONG, -1;
        memcpy(to.sun_path, address, strlen(address));
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        return fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof to) ? fd : -1;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(address)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) return -1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ? -1 : fd;
}
