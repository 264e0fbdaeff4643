/* SPDX-License-Identifier: MIT */
/*
 * The chat room: who is in it, and what each says and hears.
 *
 * A client's queue never holds more than QUEUE_LIMIT.  Once a line was skipped, all
 * are until the client is told how many: what it reads is in order.
 */
#include "chat/chat_room.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { TEXT_SIZE = CLEAN_GROWTH * LINE_LIMIT + 100 };

int watch(chat_client *client)
{
    int events = client->ended ? 0 : SEL_EVENT_READ;
    if (client->queue.size > 0)
        events |= SEL_EVENT_WRITE;
    return sel_modify(client->server->sel, client->fd, events, client_cb, client);
}

int send_queued(chat_client *client)
{
    bytearray *queue = &client->queue;
    if (queue->size == 0)
        return 0;
    ssize_t sent = send(client->fd, bytearray_bytes(queue), queue->size, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    bytearray_remove(queue, (size_t)sent);
    return 0;
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
        send_queued(client);
    watch(client);
}

static void say_to_all(chat_server *server, const chat_client *but, const char *text,
                       size_t size)
{
    for (chat_client *client = server->first; client != NULL; client = client->next)
        if (client != but && !client->leaving)
            say_to(client, text, size);
}

static void tell(chat_client *client, const char *text)
{
    say_to(client, text, strlen(text));
}

void tell_all(chat_server *server, const chat_client *but, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say_to_all(server, but, text, (size_t)size);
}

void tell_skipped(chat_client *client)
{
    char text[100];
    snprintf(text, sizeof text, "* you read too slowly: %d lines skipped\n",
             client->skipped);
    client->skipped = 0;
    tell(client, text);
}

static void lose_patience(sel_selector *sel, void *data)
{
    (void)sel;
    hang_up(data);
}

void leave(chat_client *client)
{
    client->leaving = true;
    line_clear(&client->line);
    sel_call_later(client->server->sel, FLUSH_SECONDS, lose_patience, client,
                   &client->patience);
}

static void say_good_bye(chat_client *client)
{
    chat_server *server = client->server;
    tell_all(server, client, "* %s has left\n", client->name);
    tell(client, "* good bye\n");
    leave(client);
}

static bool is_taken(const chat_server *server, const char *name)
{
    for (const chat_client *client = server->first; client != NULL; client = client->next)
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
    } else if (is_taken(client->server, wanted)) {
        tell(client, "* that name is taken\n");
    } else {
        tell_all(client->server, NULL, "* %s is now %s\n", client->name, wanted);
        memcpy(client->name, wanted, sizeof wanted);
    }
}

static void say(chat_client *client, const char *line, size_t size)
{
    char text[TEXT_SIZE];
    int head = snprintf(text, sizeof text, "%s: ", client->name);
    size_t end = (size_t)head + clean_text(line, size, text + head);
    text[end++] = '\n';
    say_to_all(client->server, client, text, end);
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

void take(chat_client *client, const char *bytes, size_t size)
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

void take_rest(chat_client *client)
{
    if (client->line.text.size > 0 || client->line.too_long)
        hear(client);
}

void welcome(chat_client *client)
{
    chat_server *server = client->server;
    do
        snprintf(client->name, sizeof client->name, "guest%d", ++server->guests);
    while (is_taken(server, client->name));
    tell_all(server, NULL, "* %s is here\n", client->name);
    chat_client **last = &server->first;
    while (*last != NULL)
        last = &(*last)->next;
    *last = client;
    char text[100];
    snprintf(text, sizeof text, "* welcome, %s: /nick NAME renames you, exit leaves\n",
             client->name);
    tell(client, text);
}
