/* SPDX-License-Identifier: MIT */
/*
 * A chat room: what one says, all others hear, line by line.
 *
 * "exit" leaves, "/nick NAME" renames.  Nothing that a client sends can harm another: a
 * line longer than LINE_LIMIT is dropped, and its sender is told; all others are
 * cleaned before anyone sees them.
 *
 * The rule for slow readers: at most QUEUE_LIMIT is queued for a client.  A line that
 * does not fit is skipped, for that client alone; once it has read half the queue, it
 * is told how many were. docs/twins/chat_server.py is the same program in Python.
 */
#include "chat/chat_room.h"
#include "kit/acceptor.h"
#include "kit/check.h"
#include "kit/listen.h"

#include <selkie.h>

#include <signal.h>
#include <stdlib.h>

typedef struct {
    chat_room room;
    acceptor acceptor;
} chat_server;

/* SIGINT, SIGTERM: say so, send what is queued, and end.  The second time: end at once. */
static void stop(sel_selector *sel, void *data)
{
    chat_server *server = data;
    if (server->room.closing || server->room.first == NULL) {
        sel_stop(sel);
        return;
    }
    acceptor_stop(&server->acceptor);
    close_room(&server->room);
}

int main(int argc, char **argv)
{
    server_options options = {.purpose = "A chat room: all others hear what one says."};
    parse_options(argc, argv, &options);
    int listener = open_listener(&options);
    sel_selector *sel = NULL;
    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    chat_server server = {.room = {.sel = sel, .verbose = options.verbose}};
    server.acceptor = (acceptor){.sel = sel,
                                 .listener = listener,
                                 .add_client = enter_room,
                                 .data = &server.room};
    check(acceptor_start(&server.acceptor), "wait");
    check(sel_add_signal_handler(sel, SIGINT, stop, &server), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, stop, &server), "watch SIGTERM");
    print_listening(listener);

    check(sel_run(sel), "wait");

    empty_room(&server.room);
    sel_close(sel);
    return EXIT_SUCCESS;
}
