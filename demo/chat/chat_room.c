/* SPDX-License-Identifier: MIT */
/*
 * The chat room: who is in it, and what each one says and hears.
 *
 * A client's queue never holds more than QUEUE_LIMIT.  Once a line has been skipped,
 * all are until the client has been told how many: what it reads is always in order.
 *
 * Only client_cb() and a timer end a client.  If sending to one fails, the error comes
 * up again in that client's own callback, so nobody's words can end anybody else.
 */
#include "chat/chat_room.h"
#include "kit/fail.h"
#include "kit/nonblocking.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 4096,
    TEXT_SIZE = CLEAN_GROWTH * LINE_LIMIT + 100,
    FLUSH_SECONDS = 3, /* how long one who leaves may take to read the rest */
};

static sel_callback client_cb;

/* Watch for what the client needs next.  Returns 0 or a negative errno. */
static int watch(chat_client *client)
{
    int events = client->ended ? 0 : SEL_EVENT_READ;
    if (client->queue.size > 0)
        events |= SEL_EVENT_WRITE;
    return sel_modify(client->room->sel, client->fd, events, client_cb, client);
}

static void say_to(chat_client *client, const char *text, size_t size)
{
    bytearray *queue = &client->queue;
    bool fits = client->skipped == 0 && queue->size + size <= QUEUE_LIMIT;
    if (!fits || bytearray_extend(queue, text, size) < 0) {
        client->skipped++;
        return;
    }
    if (queue->size == size)
        send_now(client->fd, queue);
    watch(client);
}

static void say_to_all(chat_room *room, const chat_client *but, const char *text,
                       size_t size)
{
    for (chat_client *client = room->first; client != NULL; client = client->next)
        if (client != but && !client->leaving)
            say_to(client, text, size);
}

static void tell(chat_client *client, const char *text)
{
    say_to(client, text, strlen(text));
}

/* To all who are listening, except `but`, which may be NULL. */
static void __attribute__((format(printf, 3, 4)))
tell_all(chat_room *room, const chat_client *but, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say_to_all(room, but, text, (size_t)size);
}

/* Tell one that reads again how many lines it has missed. */
static void tell_skipped(chat_client *client)
{
    char text[100];
    snprintf(text, sizeof text, "* you read too slowly: %d lines skipped\n",
             client->skipped);
    client->skipped = 0;
    tell(client, text);
}

static void hang_up(chat_client *client)
{
    chat_room *room = client->room;
    note(room->verbose, "%d: closed", client->fd);
    chat_client **link = &room->first;
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    sel_cancel(room->sel, client->patience);
    sel_unregister(room->sel, client->fd);
    close(client->fd);
    bytearray_clear(&client->queue);
    line_clear(&client->line);
    free(client);
    if (room->first == NULL && room->closing)
        sel_stop(room->sel);
}

static void lose_patience(sel_selector *sel, void *data)
{
    (void)sel;
    hang_up(data);
}

/* From now on it only gets what is queued for it, for a short time. */
static void leave(chat_client *client)
{
    client->leaving = true;
    line_clear(&client->line);
    sel_call_later(client->room->sel, FLUSH_SECONDS, lose_patience, client,
                   &client->patience);
}

static void say_good_bye(chat_client *client)
{
    chat_room *room = client->room;
    tell_all(room, client, "* %s has left\n", client->name);
    tell(client, "* good bye\n");
    leave(client);
}

static bool is_taken(const chat_room *room, const char *name)
{
    for (const chat_client *client = room->first; client != NULL; client = client->next)
        if (!client->leaving && strcmp(client->name, name) == 0)
            return true;
    return false;
}

static void rename_client(chat_client *client, const char *name, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_";
    char wanted[NAME_LIMIT + 1] = "";
    if (size <= NAME_LIMIT)
        memcpy(wanted, name, size);
    if (*wanted == '\0' || strspn(wanted, letters) != size) {
        tell(client, "* a name is 1 to 20 letters, digits, - and _\n");
    } else if (is_taken(client->room, wanted)) {
        tell(client, "* that name is taken\n");
    } else {
        tell_all(client->room, NULL, "* %s is now %s\n", client->name, wanted);
        memcpy(client->name, wanted, sizeof wanted);
    }
}

static void say(chat_client *client, const char *line, size_t size)
{
    char text[TEXT_SIZE];
    int head = snprintf(text, sizeof text, "%s: ", client->name);
    size_t end = (size_t)head + clean_text(line, size, text + head);
    text[end++] = '\n';
    say_to_all(client->room, client, text, end);
}

static void hear(chat_client *client)
{
    static const char nick[] = "/nick ";
    const char *line = bytearray_bytes(&client->line.text);
    size_t size = client->line.text.size;
    if (size > 0 && line[size - 1] == '\r')
        size--;
    if (client->line.too_long)
        tell(client, "* a line has 1024 bytes at most: yours was dropped\n");
    else if (size == 4 && memcmp(line, "exit", 4) == 0)
        say_good_bye(client);
    else if (size >= strlen(nick) && memcmp(line, nick, strlen(nick)) == 0)
        rename_client(client, line + strlen(nick), size - strlen(nick));
    else if (size > 0)
        say(client, line, size);
    line_clear(&client->line);
}

static void take(chat_client *client, const char *bytes, size_t size)
{
    while (size > 0 && !client->leaving) {
        bool complete;
        size_t taken = line_take(&client->line, bytes, size, &complete);
        bytes += taken;
        size -= taken;
        if (complete)
            hear(client);
    }
}

/* Take what it sent last, if it did not end in a newline. */
static void take_rest(chat_client *client)
{
    if (client->line.text.size > 0 || client->line.too_long)
        hear(client);
}

/* Returns 0 or a negative errno. */
static int receive(chat_client *client)
{
    char bytes[READ_SIZE];
    ssize_t size = receive_now(client->fd, bytes, sizeof bytes, &client->ended);
    if (size > 0)
        take(client, bytes, (size_t)size);
    if (client->ended)
        take_rest(client);
    return size < 0 ? (int)size : 0;
}

static void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    chat_client *client = key->data;
    ssize_t result = mask & SEL_EVENT_WRITE ? send_now(client->fd, &client->queue) : 0;
    if (result >= 0 && client->skipped > 0 && client->queue.size <= QUEUE_LIMIT / 2)
        tell_skipped(client);
    if (result >= 0 && mask & SEL_EVENT_READ)
        result = receive(client);
    if ((result < 0 || client->ended) && !client->leaving) {
        tell_all(client->room, client, "* %s has left\n", client->name);
        leave(client);
    }
    bool all_sent = client->queue.size == 0;
    if (client->leaving && all_sent)
        shutdown(client->fd, SHUT_WR);
    if (result >= 0)
        result = watch(client);
    if (result < 0 || (client->ended && all_sent))
        hang_up(client);
}

static void welcome(chat_client *client)
{
    chat_room *room = client->room;
    do
        snprintf(client->name, sizeof client->name, "guest%d", ++room->guests);
    while (is_taken(room, client->name));
    tell_all(room, NULL, "* %s is here\n", client->name);
    chat_client **last = &room->first;
    while (*last != NULL)
        last = &(*last)->next;
    *last = client;
    char text[100];
    snprintf(text, sizeof text, "* welcome, %s: /nick NAME renames you, exit leaves\n",
             client->name);
    tell(client, text);
}

void enter_room(void *data, int fd)
{
    chat_room *room = data;
    chat_client *client = calloc(1, sizeof *client);
    int error = client == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = sel_register(room->sel, fd, SEL_EVENT_READ, client_cb, client);
    if (error < 0) {
        note(room->verbose, "%d: turned away: %s", fd, sel_strerror(error));
        free(client);
        close(fd);
        return;
    }
    *client = (chat_client){.room = room, .fd = fd, .line = {.limit = LINE_LIMIT}};
    welcome(client);
    note(room->verbose, "%d: %s", fd, client->name);
}

void close_room(chat_room *room)
{
    room->closing = true;
    tell_all(room, NULL, "* the server stops\n");
    for (chat_client *client = room->first; client != NULL; client = client->next) {
        if (!client->leaving)
            leave(client);
        if (client->queue.size == 0)
            shutdown(client->fd, SHUT_WR);
    }
}

void empty_room(chat_room *room)
{
    while (room->first != NULL)
        hang_up(room->first);
}
