/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP/1 server on a selector: answers from memory, and streams of events.
 *
 * A client costs its struct and one answer, or one event: its next request is not read
 * before the answer to the last has been sent, and an event that comes while the last is
 * not sent is skipped for that client.  One that makes no headway for `timeout` is hung
 * up on.  What is asked of a host that is not this one is not answered (http_host.h).
 */
#ifndef DEMO_HTTP_H
#define DEMO_HTTP_H

#include "kit/acceptor.h"

#include <selkie.h>

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_CLIENTS_MAX = 128 };

typedef struct http_client http_client;

/* Calls http_answer() or http_stream(), once. */
typedef void http_handler(http_client *client, const char *path, void *data);

typedef struct {
    sel_selector *sel;
    int listener;
    const char *host; /* the name that it was told to listen on */
    http_handler *handler;
    void *data; /* the handler's */
    double timeout; /* seconds */
    bool verbose;
    acceptor acceptor; /* from here on http_start() sets them */
    int clients;
    int streams;
    http_client *first;
} http_server;

/* Serve `listener`; what is set by the caller comes first.  Returns 0 or a negative
 * errno. */
int http_start(http_server *server);

/* Hang up on all.  `listener` is closed, too. */
void http_stop(http_server *server);

/* Answer with `size` bytes of `body`, which are copied. */
void http_answer(http_client *client, int status, const char *type, const char *body,
                 size_t size);

/* Answer with events: what http_event() is given for this client, http_push() for all. */
void http_stream(http_client *client);

/* A stream's first event, directly after http_stream(); of a HEAD there is none. */
void http_event(http_client *client, const char *event, size_t size);

/* Send an event to all streams. */
void http_push(http_server *server, const char *event, size_t size);

#endif
