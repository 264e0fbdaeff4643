/* SPDX-License-Identifier: MIT */
/*
 * The chat room: who is in it, and what each says and hears.
 *
 * Nothing here ends a client: an error in sending to one comes again in that one's own
 * callback, so that nobody's words can end another.
 */
#ifndef DEMO_CHAT_ROOM_H
#define DEMO_CHAT_ROOM_H

#include "kit/bytearray.h"
#include "chat/chat_text.h"

#include <selkie.h>

#include <stdbool.h>

enum {
    LINE_LIMIT = 1024,
    NAME_LIMIT = 20,
    QUEUE_LIMIT = 64 * 1024,
    FLUSH_SECONDS = 3, /* how long one who leaves may take to read the rest */
};

typedef struct chat_client chat_client;

typedef struct {
    sel_selector *sel;
    int listener;
    int reserve;
    int guests; /* how many there have been */
    chat_client *first;
    bool verbose;
    bool stopping;
} chat_server;

struct chat_client {
    chat_server *server;
    chat_client *next;
    int fd;
    char name[NAME_LIMIT + 1];
    bool leaving; /* says and hears no more */
    bool ended; /* it has sent its last byte */
    sel_timer patience; /* with one who leaves */
    chat_line line;
    bytearray queue;
    int skipped;
};

/* The callback of every client, and the end of one; chat_server.c has them. */
sel_callback client_cb;
void hang_up(chat_client *client);

/* Put a client into the room, with a name, and tell everyone. */
void welcome(chat_client *client);

/* Take what a client has sent. */
void take(chat_client *client, const char *bytes, size_t size);

/* Take what it has sent last, if no newline follows. */
void take_rest(chat_client *client);

/* From now on it only gets what is queued for it, and not for long. */
void leave(chat_client *client);

/* To all who listen but one, which may be NULL. */
void tell_all(chat_server *server, const chat_client *but, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* To one that reads again: how many lines it has missed. */
void tell_skipped(chat_client *client);

/* Send what the socket takes.  Returns 0 or a negative errno. */
int send_queued(chat_client *client);

/* Watch for what the client needs next.  Returns 0 or a negative errno. */
int watch(chat_client *client);

#endif
