/* SPDX-License-Identifier: MIT */
/*
 * The chat room (demo/chat/chat_room.c and what it is made of), with clients that do what
 * the input says: come, send any bytes, read or don't, end or reset.
 *
 * Whatever one sends, the others read nothing but whole lines of clean text, and a queue
 * never grows beyond its limit.
 */
#include "chat/chat_room.h"

#include "fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 4, PASSES = 4, RECEIVED = 8192 };
enum { LONGEST = CLEAN_GROWTH * LINE_LIMIT + 100 };

/* The other end of a client: what it reads has to be lines. */
typedef struct {
    int fd; /* -1: not here */
    size_t column;
} visitor;

static chat_room room;
static visitor visitors[CLIENTS];

static void come(visitor *one)
{
    int ends[2], kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, small = 4096;
    int guests = room.guests;

    must(socketpair(AF_UNIX, kind, 0, ends), "socketpair");
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    *one = (visitor){.fd = ends[1]};
    enter_room(&room, ends[0]);
    if (room.guests == guests)
        broken("no client");
}

static void check_received(visitor *one, const char *bytes, size_t size)
{
    char clean[CLEAN_GROWTH * RECEIVED];

    for (size_t i = 0; i < size; i++) {
        one->column = bytes[i] == '\n' ? 0 : one->column + 1;
        if (one->column > LONGEST)
            broken("a line of %zu", one->column);
        if (bytes[i] != '\n' && ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f))
            broken("byte 0x%02x in a line", (unsigned char)bytes[i]);
    }
    if (clean_text(bytes, size, clean) > sizeof clean)
        broken("too much text");
}

static void receive(visitor *one)
{
    char bytes[RECEIVED];
    ssize_t size = recv(one->fd, bytes, sizeof bytes, 0);

    if (size > 0)
        check_received(one, bytes, (size_t)size);
}

static void go(visitor *one)
{
    close(one->fd);
    one->fd = -1;
}

static void pass(void)
{
    for (int i = 0; i < PASSES && sel_select(room.sel, 0, NULL) > 0; i++)
        sel_dispatch(room.sel);
}

static void check_room(void)
{
    const chat_client *client = room.first;

    for (; client != NULL; client = client->next) {
        if (client->queue.size > QUEUE_LIMIT || client->line.text.size > LINE_LIMIT)
            broken("%zu bytes queued, a line of %zu", client->queue.size,
                   client->line.text.size);
        for (const chat_client *other = client->next; other != NULL; other = other->next)
            if (!client->leaving && !other->leaving &&
                strcmp(client->name, other->name) == 0)
                broken("two clients are %s", client->name);
    }
}

/* Send so many of the input's next bytes, `times` over. */
static void send_bytes(const visitor *one, fuzz_input *input, int times)
{
    size_t size = (size_t)take_byte(input);

    if (size > bytes_left(input))
        size = bytes_left(input);
    for (int i = 0; i < times; i++)
        if (send(one->fd, input->next, size, MSG_NOSIGNAL) < 0)
            break;
    input->next += size;
}

/* The upper half of the byte says which client, the lower what it does. */
static void take_step(fuzz_input *input)
{
    int code = take_byte(input);
    visitor *one = &visitors[(code >> 4) % CLIENTS];

    if (one->fd < 0)
        come(one);
    else if (code % 16 < 8)
        send_bytes(one, input, 1);
    else if (code % 16 < 10)
        send_bytes(one, input, 64);
    else if (code % 16 < 12)
        receive(one);
    else if (code % 16 == 12)
        shutdown(one->fd, SHUT_WR);
    else if (code % 16 == 13)
        go(one);
    pass();
    check_room();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    warm_up();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, bytes + size};
    int descriptors = count_descriptors();

    room = (chat_room){.sel = NULL};
    for (int i = 0; i < CLIENTS; i++)
        visitors[i].fd = -1;
    if (sel_open(SEL_BACKEND_EPOLL, &room.sel) < 0)
        broken("no selector");
    while (bytes_left(&input) > 0)
        take_step(&input);
    for (int i = 0; i < CLIENTS; i++)
        if (visitors[i].fd >= 0)
            go(&visitors[i]);
    pass();
    empty_room(&room);
    sel_close(room.sel);
    check_descriptors(descriptors);
    return 0;
}
