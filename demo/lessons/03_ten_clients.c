/* SPDX-License-Identifier: MIT */
/*
 * Ten clients at once in one program that blocks: each of them sends a part of the
 * message, then each reads its echo, three times. docs/twins/ten_clients.py is the
 * same program in Python.
 *
 * send() may take less than it is given, and recv() may return less than was sent: so
 * everything is sent in a loop, and an echo is complete when as many bytes are back.
 * (With one send() and one recv() the program works until it doesn't.)
 */
#include "kit/blocking.h"
#include "kit/command_line.h"
#include "kit/fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 10, MESSAGE_SIZE = 64, PATIENCE_SECONDS = 20 };

static const char *const messages[] = {"This is the message,", "it comes", "in parts,"};
enum { MESSAGES = sizeof messages / sizeof *messages };

/* The part that a client sends in a round: its version counts all parts sent so far. */
static size_t make_message(char *message, int turn, int client)
{
    int version = turn * CLIENTS + client;
    return (size_t)snprintf(message, MESSAGE_SIZE, "%s version %d", messages[turn],
                            version);
}

/* How many of `size` bytes arrived before the end, or a negative errno. */
static ssize_t receive_exactly(int sock, char *data, size_t size)
{
    size_t received = 0;
    while (received < size) {
        ssize_t more = recv(sock, data + received, size - received, 0);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return -errno;
        if (more == 0)
            break;
        received += (size_t)more;
    }
    return (ssize_t)received;
}

static void send_message(int sock, int turn, int client)
{
    char message[MESSAGE_SIZE];
    size_t size = make_message(message, turn, client);
    printf("client %d: sending '%s'\n", client, message);
    int error = send_all(sock, message, size);
    if (error < 0)
        fail(EXIT_FAILURE, "client %d cannot send: %s", client, blocking_error(-error));
}

static void receive_echo(int sock, int turn, int client)
{
    char message[MESSAGE_SIZE], echo[MESSAGE_SIZE];
    size_t size = make_message(message, turn, client);
    ssize_t received = receive_exactly(sock, echo, size);
    if (received < 0)
        fail(EXIT_FAILURE, "client %d has no echo: %s", client,
             blocking_error(-(int)received));
    if ((size_t)received < size || memcmp(message, echo, size) != 0)
        fail(EXIT_FAILURE, "client %d has a wrong echo of %zd bytes", client, received);
    printf("client %d: received '%.*s'\n", client, (int)received, echo);
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1";
    int port = 1234;
    const command_option options[] = {
        {"host", 'H', "HOST", "the server's name or address (127.0.0.1)", .text = &host},
        {"port", 'p', "PORT", "the server's port (1234)", .number = &port, .lowest = 1,
         .highest = 65535},
        {.name = NULL},
    };
    read_command_line(argc, argv, "Be ten clients of an echo server at once.", options);

    int socks[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        socks[i] = create_connection(host, port, PATIENCE_SECONDS);
    for (int turn = 0; turn < MESSAGES; turn++) {
        for (int i = 0; i < CLIENTS; i++)
            send_message(socks[i], turn, i + 1);
        for (int i = 0; i < CLIENTS; i++)
            receive_echo(socks[i], turn, i + 1);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(socks[i]);
    printf("%d clients, %d echoes\n", CLIENTS, CLIENTS * MESSAGES);
    flush_stdout();
    return EXIT_SUCCESS;
}
