/* SPDX-License-Identifier: MIT */
/*
 * A server that blocks and so serves one client at a time: it reads a line, answers
 * good bye and closes. docs/twins/one_client_server.py is the same program in Python;
 * line_client is its client.
 *
 * While it waits for one client's line, all others wait to be accepted, however long
 * that takes: that is what the loops of the other lessons are for.  A signal ends it
 * like any other program.
 *
 * TCP is a stream without messages.  One recv() may return half a line, so here a
 * message ends with a newline (or at LINE_SIZE bytes, or where the stream ends).
 */
#include "kit/blocking.h"
#include "kit/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

/* Returns how many bytes arrived, or a negative errno. */
static ssize_t receive(int conn, char *bytes, size_t size)
{
    ssize_t received;
    do
        received = recv(conn, bytes, size, 0);
    while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

/* Receive one message.  Returns its size, or a negative errno. */
static ssize_t receive_line(int conn, char *line)
{
    size_t size = 0;
    while (size < LINE_SIZE && memchr(line, '\n', size) == NULL) {
        ssize_t received = receive(conn, line + size, LINE_SIZE - size);
        if (received < 0)
            return received;
        if (received == 0)
            break;
        size += (size_t)received;
    }
    return (ssize_t)size;
}

/*
 * Say that nothing more will come, and read what the client still sends: closing with
 * unread bytes would reset the connection, and the answer might be lost.
 */
static void finish(int conn)
{
    char rest[LINE_SIZE];
    shutdown(conn, SHUT_WR);
    while (receive(conn, rest, sizeof rest) > 0)
        continue;
}

static void serve(int conn, bool verbose)
{
    char line[LINE_SIZE], answer[64];
    note(verbose, "connected");
    ssize_t size = receive_line(conn, line);
    int error = (int)size;
    if (size >= 0) {
        note(verbose, "received %zd bytes", size);
        snprintf(answer, sizeof answer, "received %zd bytes, good bye\n", size);
        error = send_all(conn, answer, strlen(answer));
    }
    if (error < 0) {
        note(verbose, "%s", strerror(-error));
        return;
    }
    finish(conn);
    note(verbose, "closed");
}

/* Did accept() fail only because of the client it was for? */
static bool client_was_lost(int error)
{
    return error != EBADF && error != EINVAL && error != ENOTSOCK && error != EMFILE &&
           error != ENFILE && error != ENOBUFS && error != ENOMEM;
}

int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Answer every client good bye, one client at a time."};
    parse_options(argc, argv, &options);
    int listener = open_listener(&options);
    set_blocking(listener);
    print_listening(listener);

    for (;;) {
        int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (conn >= 0) {
            serve(conn, options.verbose);
            close(conn);
        } else if (!client_was_lost(errno)) {
            fail(EXIT_FAILURE, "cannot accept: %s", strerror(errno));
        }
    }
}
