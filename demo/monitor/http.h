/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP/1 server on a selector: answers from memory, and streams of events.
 *
 * A client costs its struct and one answer or event: its next request is not read
 * before the last answer has been sent, and it does not get an event that arrives while
 * the last one is still being sent.  A client that makes no progress for `timeout` is
 * hung up on.  Requests for another host than this one are refused (http_host.h).
 */
#ifndef DEMO_HTTP_H
#define DEMO_HTTP_H

#include "kit/acceptor.h"

#include <selkie.h>

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_CLIENTS_MAX = 128 };

typedef struct http_client http_client;

/* Must call http_answer() or http_stream(), once. */
typedef void http_handler(http_client *client, const char *path, void *data);

typedef struct {
    sel_selector *sel;
    int listener;
    const char *host; /* the name that it was told to listen on */
    http_handler *handler;
    void *data; /* the handler's */
    double timeout; /* seconds */
    bool verbose;
    acceptor acceptor; /* http_start() sets these and all below */
    int clients;
    int streams;
    http_client *first;
} http_server;

/*
 * Serve `listener`; first set the fields that are the caller's.  Returns 0 or a
 * negative errno.
 */
int http_start(http_server *server);

/* Hang up on everyone, and close `listener`. */
void http_stop(http_server *server);

/* Answer with `size` bytes of `body`, which are copied. */
void http_answer(http_client *client, int status, const char *type, const char *body,
                 size_t size);

/* Answer with events: what http_event() sends to this client and http_push() to all. */
void http_stream(http_client *client);

/* A stream's first event, directly after http_stream(); a HEAD gets none. */
void http_event(http_client *client, const char *event, size_t size);

/* Send an event to all streams. */
void http_push(http_server *server, const char *event, size_t size);

#endif
