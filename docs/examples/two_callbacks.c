/* SPDX-License-Identifier: MIT */
/*
 * A callback for reading and another for writing, as asyncio's add_reader() and
 * add_writer() have them: a key's data can hold two.
 */
#include <selkie.h>

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

// [watcher]
typedef struct {
    sel_callback *reader, *writer;
} watcher;

static void watch_cb(sel_selector *sel, const sel_key *key, int mask)
{
    const watcher *both = key->data;

    if (mask & SEL_EVENT_READ)
        both->reader(sel, key, mask);
    /* The reader may have taken the key away, and `both` with it, or this event. */
    if (mask & key->events & SEL_EVENT_WRITE)
        both->writer(sel, key, mask);
}
// [/watcher]

static void reader_cb(sel_selector *sel, const sel_key *key, int mask)
{
    char byte;

    (void)mask;
    if (recv(key->fd, &byte, 1, 0) == 1)
        printf("reader: %c\n", byte);
    sel_unregister(sel, key->fd);
}

static void writer_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    puts("writer: there is room");
    sel_modify(sel, key->fd, SEL_EVENT_READ, watch_cb, key->data);
}

int main(void)
{
    watcher both = {reader_cb, writer_cb};
    sel_selector *sel;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
        sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        sel_register(sel, ends[0], SEL_EVENT_READ | SEL_EVENT_WRITE, watch_cb, &both) < 0)
        return 1;
    sel_select(sel, SEL_FOREVER, NULL); /* writable, nothing to read yet */
    sel_dispatch(sel);
    if (send(ends[1], "x", 1, MSG_NOSIGNAL) != 1)
        return 1;
    sel_run(sel);
    sel_close(sel);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
