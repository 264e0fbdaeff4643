/* SPDX-License-Identifier: MIT */
/*
 * A chat room: what one says, all others hear, line by line.
 *
 * "exit" leaves, "/nick NAME" renames.  Nothing that a client sends can harm another:
 * a line longer than LINE_LIMIT is dropped and its sender told, and what is left of
 * others is cleaned before anyone sees it.
 *
 * The rule for slow readers: a line that does not fit into what is queued for one,
 * QUEUE_LIMIT at most, is skipped for that one alone, and how many were is told once
 * half the queue is read.  docs/twins/chat_server.py is the same program in Python.
 */
#include "chat/chat_room.h"
#include "kit/check.h"
#include "kit/listen.h"

#include <selkie.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 4096,
    ACCEPTS_PER_PASS = 16, /* so that a rush of new clients leaves others their turn */
};

void hang_up(chat_client *client)
{
    chat_server *server = client->server;
    note(server->verbose, "%d: closed", client->fd);
    chat_client **link = &server->first;
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    sel_cancel(server->sel, client->patience);
    sel_unregister(server->sel, client->fd);
    close(client->fd);
    bytearray_clear(&client->queue);
    line_clear(&client->line);
    free(client);
    if (server->first == NULL && server->stopping)
        sel_stop(server->sel);
}

/* Returns 0 or a negative errno. */
static int receive(chat_client *client)
{
    char bytes[READ_SIZE];
    ssize_t size = recv(client->fd, bytes, sizeof bytes, 0);
    if (size > 0)
        take(client, bytes, (size_t)size);
    if (size == 0) {
        take_rest(client);
        client->ended = true;
    }
    return size < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    chat_client *client = key->data;
    int error = mask & SEL_EVENT_WRITE ? send_queued(client) : 0;
    if (error == 0 && client->skipped > 0 && client->queue.size <= QUEUE_LIMIT / 2)
        tell_skipped(client);
    if (error == 0 && mask & SEL_EVENT_READ)
        error = receive(client);
    if ((error < 0 || client->ended) && !client->leaving) {
        tell_all(client->server, client, "* %s has left\n", client->name);
        leave(client);
    }
    bool all_sent = client->queue.size == 0;
    if (client->leaving && all_sent)
        shutdown(client->fd, SHUT_WR);
    if (error == 0)
        error = watch(client);
    if (error < 0 || (client->ended && all_sent))
        hang_up(client);
}

static void add_client(chat_server *server, int fd)
{
    chat_client *client = calloc(1, sizeof *client);
    int error = client == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = sel_register(server->sel, fd, SEL_EVENT_READ, client_cb, client);
    if (error < 0) {
        note(server->verbose, "%d: turned away: %s", fd, sel_strerror(error));
        free(client);
        close(fd);
        return;
    }
    *client = (chat_client){.server = server, .fd = fd, .line = {.limit = LINE_LIMIT}};
    welcome(client);
    note(server->verbose, "%d: %s", fd, client->name);
}

static sel_callback accept_cb;

static void resume_accepting(sel_selector *sel, void *data)
{
    chat_server *server = data;
    if (!server->stopping)
        sel_modify(sel, server->listener, SEL_EVENT_READ, accept_cb, server);
}

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    chat_server *server = key->data;
    for (int i = 0; i < ACCEPTS_PER_PASS; i++) {
        int fd = accept_client(server->listener, &server->reserve);
        if (fd >= 0) {
            add_client(server, fd);
        } else if (fd != -ECONNABORTED && fd != -EMFILE) {
            /* A listener readable but not accepted from would keep the loop spinning. */
            if (fd != -EAGAIN && sel_call_later(sel, PAUSE_SECONDS, resume_accepting,
                                                server, NULL) == 0)
                sel_modify(sel, server->listener, 0, accept_cb, server);
            return;
        }
    }
}

static void stop_accepting(sel_selector *sel, chat_server *server)
{
    sel_unregister(sel, server->listener);
    close(server->listener);
    close(server->reserve);
}

/* SIGINT, SIGTERM: say so, send what is queued, end.  The second time: end. */
static void stop(sel_selector *sel, void *data)
{
    chat_server *server = data;
    if (server->stopping || server->first == NULL) {
        sel_stop(sel);
        return;
    }
    server->stopping = true;
    stop_accepting(sel, server);
    tell_all(server, NULL, "* the server stops\n");
    for (chat_client *client = server->first; client != NULL; client = client->next) {
        if (!client->leaving)
            leave(client);
        if (client->queue.size == 0)
            shutdown(client->fd, SHUT_WR);
    }
}

int main(int argc, char **argv)
{
    server_options options = {.purpose = "A chat room: what one says, all others hear."};
    parse_options(argc, argv, &options);
    chat_server server = {.listener = open_listener(&options),
                          .reserve = open_reserve(),
                          .verbose = options.verbose};
    check(sel_open(SEL_BACKEND_DEFAULT, &server.sel), "open a selector");
    sel_selector *sel = server.sel;
    check(sel_register(sel, server.listener, SEL_EVENT_READ, accept_cb, &server), "wait");
    check(sel_add_signal_handler(sel, SIGINT, stop, &server), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, stop, &server), "watch SIGTERM");
    print_listening(server.listener);

    check(sel_run(sel), "wait");

    while (server.first != NULL)
        hang_up(server.first);
    sel_close(sel);
    return EXIT_SUCCESS;
}
