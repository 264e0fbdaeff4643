/* SPDX-License-Identifier: MIT */
/* What the tests have on Linux, for other systems. */
#include "support/os.h"
#include "support/rounds.h"

#include <arpa/inet.h>
#include <netinet/in.h>

_Thread_local long rounds; /* stays 0 */

int eventfd(unsigned int value, int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    uint64_t written = value;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    (void)flags;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, length) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        connect(fd, (struct sockaddr *)&address, length) < 0 ||
        (value > 0 && write(fd, &written, sizeof written) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}
