/* SPDX-License-Identifier: MIT */
/* Nothing in this file waits: the sockets are non-blocking. */
#include "kit/connection.h"
#include "kit/fail.h"
#include "kit/listen.h"
#include "kit/nonblocking.h"

#include <sys/socket.h>
#include <unistd.h>

bool connection_wants_read(const connection *conn)
{
    return !conn->ended && (conn->queue.size < HIGH_WATER || conn->leaving);
}

bool connection_wants_write(const connection *conn)
{
    return conn->queue.size > 0;
}

ssize_t connection_receive(connection *conn)
{
    char data[READ_SIZE];
    ssize_t size = receive_now(conn->fd, data, sizeof data, &conn->ended);
    if (size <= 0)
        return size;
    if (conn->leaving)
        return 0;
    int error = bytearray_extend(&conn->queue, data, (size_t)size);
    return error < 0 ? error : size;
}

/* Once everything is sent: tell the client that nothing more will come. */
static void send_end(const connection *conn)
{
    if (conn->leaving && conn->queue.size == 0)
        shutdown(conn->fd, SHUT_WR);
}

ssize_t connection_send(connection *conn)
{
    ssize_t sent = send_now(conn->fd, &conn->queue);
    send_end(conn);
    return sent;
}

void connection_take_urgent(const connection *conn, bool verbose)
{
    char byte;
    if (recv(conn->fd, &byte, 1, MSG_OOB) == 1)
        note(verbose, "%d: an urgent byte", conn->fd);
}

int connection_error(const connection *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return -error;
}

bool connection_leave(connection *conn)
{
    if (conn->queue.size == 0 && is_settled(conn->fd))
        return false;
    conn->leaving = true;
    send_end(conn);
    return true;
}

void connection_close(connection *conn)
{
    close(conn->fd);
    bytearray_clear(&conn->queue);
}
