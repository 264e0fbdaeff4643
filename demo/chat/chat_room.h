/* SPDX-License-Identifier: MIT */
/* The chat room: who is in it, and what each one says and hears. */
#ifndef DEMO_CHAT_ROOM_H
#define DEMO_CHAT_ROOM_H

#include "chat/chat_text.h"
#include "kit/bytearray.h"

#include <selkie.h>

#include <stdbool.h>

enum {
    LINE_LIMIT = 1024,
    NAME_LIMIT = 20,
    QUEUE_LIMIT = 64 * 1024,
};

typedef struct chat_client chat_client;

typedef struct {
    sel_selector *sel; /* stopped when the last has left a room that is closing */
    bool verbose;
    bool closing;
    int guests; /* how many there have been */
    chat_client *first;
} chat_room;

struct chat_client {
    chat_room *room;
    chat_client *next;
    int fd;
    char name[NAME_LIMIT + 1];
    bool leaving; /* no longer says or hears anything */
    bool ended; /* it has sent its last byte */
    sel_timer patience; /* with one who is leaving */
    chat_line line;
    bytearray queue;
    int skipped;
};

/* A client_adder whose data is the room: let a client in, name it, and tell everyone. */
void enter_room(void *data, int fd);

/* Announce that it closes; everyone gets what is queued for them, and leaves. */
void close_room(chat_room *room);

/* Hang up on everyone. */
void empty_room(chat_room *room);

#endif
