/* SPDX-License-Identifier: MIT */
/* A send() to a client that has hung up is an error, rather than death by SIGPIPE. */
#include "kit/nonblocking.h"

#include <errno.h>
#include <sys/socket.h>

bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static ssize_t result(ssize_t size)
{
    if (size >= 0)
        return size;
    return would_block() ? 0 : -errno;
}

ssize_t receive_now(int fd, void *bytes, size_t size, bool *ret_ended)
{
    ssize_t received = recv(fd, bytes, size, 0);
    if (received == 0)
        *ret_ended = true;
    return result(received);
}

ssize_t send_now(int fd, bytearray *queue)
{
    if (queue->size == 0)
        return 0;
    ssize_t sent = send(fd, bytearray_bytes(queue), queue->size, MSG_NOSIGNAL);
    if (sent > 0)
        bytearray_remove(queue, (size_t)sent);
    return result(sent);
}
