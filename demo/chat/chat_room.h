/* SPDX-License-Identifier: MIT */
/* The chat room: who is in it, and what each says and hears. */
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
    sel_selector *sel; /* stopped when the last has left a room that closes */
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
    bool leaving; /* says and hears no more */
    bool ended; /* it has sent its last byte */
    sel_timer patience; /* with one who leaves */
    chat_line line;
    bytearray queue;
    int skipped;
};

/* A client_adder, its data the room: let one in, with a name, and tell everyone. */
void enter_room(void *data, int fd);

/* Say that it closes; all get what is queued for them, and leave. */
void close_room(chat_room *room);

/* Hang up on all. */
void empty_room(chat_room *room);

#endif
