/* SPDX-License-Identifier: MIT */
/*
 * A chat client: watches the keyboard and the socket at once.
 *
 * The keyboard is standard input, whatever that is.  A terminal or a pipe is watched
 * like the socket.  A file can't be watched (it is always ready, and sel_register()
 * returns -EPERM), so it is just read, a piece in every pass.  More is read only while
 * less than HIGH_WATER is waiting to be sent.  What the server sends is cleaned before
 * the terminal sees it. docs/twins/chat_client.py is the same program in Python.
 */
#include "chat/chat_text.h"
#include "kit/bytearray.h"
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/connect.h"
#include "kit/fail.h"
#include "kit/nonblocking.h"
#include "kit/stop.h"

#include <selkie.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 4096, HIGH_WATER = 16 * 1024, LINE_LIMIT = 8192 };

typedef struct {
    sel_selector *sel;
    int fd; /* the socket */
    bool input_ended, input_is_file;
    bytearray queue; /* to the server */
    chat_line line; /* from the server */
} chat_client;

static sel_callback input_cb, socket_cb;
static sel_task read_file;

static bool wants_input(const chat_client *client)
{
    return !client->input_ended && client->queue.size < HIGH_WATER;
}

static void send_queued(chat_client *client)
{
    bytearray *queue = &client->queue;
    if (queue->size == 0)
        return;
    ssize_t sent = send_now(client->fd, queue);
    if (sent == -EPIPE) /* the server has hung up, and may have said why */
        bytearray_clear(queue);
    else
        check((int)sent, "send");
    if (queue->size == 0 && client->input_ended)
        shutdown(client->fd, SHUT_WR);
}

/* Watch for what comes next: input, and room to send more to the server. */
static void watch(chat_client *client)
{
    sel_selector *sel = client->sel;
    bool input = wants_input(client);
    int events = SEL_EVENT_READ | (client->queue.size > 0 ? SEL_EVENT_WRITE : 0);
    check(sel_modify(sel, client->fd, events, socket_cb, client), "watch the server");
    if (!client->input_is_file)
        check(sel_modify(sel, STDIN_FILENO, input ? SEL_EVENT_READ : 0, input_cb, client),
              "watch the keyboard");
}

/* One read() each time it is ready: a second one could block, as the keyboard is blocking. */
static void take_input(chat_client *client)
{
    char bytes[READ_SIZE];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
    if (size < 0 && would_block())
        return;
    if (size > 0)
        check(bytearray_extend(&client->queue, bytes, (size_t)size), "keep a line");
    else
        client->input_ended = true;
    if (client->input_ended && client->queue.size == 0)
        shutdown(client->fd, SHUT_WR);
}

static void input_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    chat_client *client = key->data;
    take_input(client);
    send_queued(client);
    watch(client);
}

static void go_on_with_file(chat_client *client)
{
    if (client->input_is_file && wants_input(client))
        check(sel_call_soon(client->sel, read_file, client), "read on");
}

static void read_file(sel_selector *sel, void *data)
{
    (void)sel;
    chat_client *client = data;
    take_input(client);
    send_queued(client);
    watch(client);
    go_on_with_file(client);
}

static void show(chat_client *client)
{
    char text[CLEAN_GROWTH * LINE_LIMIT];
    const bytearray *line = &client->line.text;
    size_t size = 0;
    if (line->size > 0)
        size = clean_text(bytearray_bytes(line), line->size, text);
    printf("%.*s\n", (int)size, text);
    line_clear(&client->line);
}

static void receive(chat_client *client)
{
    char bytes[READ_SIZE];
    bool ended = false;
    ssize_t size = receive_now(client->fd, bytes, sizeof bytes, &ended);
    check((int)size, "receive");
    for (size_t taken = 0; taken < (size_t)size;) {
        bool complete;
        taken += line_take(&client->line, bytes + taken, (size_t)size - taken, &complete);
        if (complete)
            show(client);
    }
    if (ended)
        sel_stop(client->sel);
    flush_stdout();
}

static void socket_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    chat_client *client = key->data;
    bool had_room = wants_input(client);
    if (mask & SEL_EVENT_WRITE)
        send_queued(client);
    if (mask & SEL_EVENT_READ)
        receive(client);
    watch(client);
    if (!had_room)
        go_on_with_file(client);
}

static void connected_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    chat_client *client = key->data;
    check(connect_result(client->fd), "connect");
    int error = sel_register(sel, STDIN_FILENO, SEL_EVENT_READ, input_cb, client);
    client->input_is_file = error == -EPERM;
    if (!client->input_is_file)
        check(error, "watch the keyboard");
    send_queued(client);
    watch(client);
    go_on_with_file(client);
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1", *name = NULL;
    int port = 1234;
    const command_option options[] = {
        {"host", 'H', "HOST", "the server's name or address (127.0.0.1)", .text = &host},
        {"port", 'p', "PORT", "the server's port (1234)", .number = &port,
         .lowest = 1, .highest = 65535},
        {"name", 'n', "NAME", "your name in the room", .text = &name},
        {0}};
    read_command_line(argc, argv, "Chat: what you type goes to all others in the room.",
                      options);
    chat_client client = {.line = {.limit = LINE_LIMIT}};
    if (name != NULL) {
        bytearray_extend(&client.queue, "/nick ", strlen("/nick "));
        bytearray_extend(&client.queue, name, strlen(name));
        bytearray_extend(&client.queue, "\n", 1);
    }
    server_address server = find_server(host, port);
    client.fd = start_connect(&server);
    check(client.fd, "connect");
    check(sel_open(SEL_BACKEND_DEFAULT, &client.sel), "open a selector");
    sel_selector *sel = client.sel;
    check(sel_register(sel, client.fd, SEL_EVENT_WRITE, connected_cb, &client), "wait");
    check(sel_add_signal_handler(sel, SIGINT, stop_loop, NULL), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, stop_loop, NULL), "watch SIGTERM");

    check(sel_run(sel), "wait");

    sel_close(sel);
    close(client.fd);
    bytearray_clear(&client.queue);
    line_clear(&client.line);
    return EXIT_SUCCESS;
}
