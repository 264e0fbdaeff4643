/* SPDX-License-Identifier: MIT */
/*
 * Lines from pipes to stdout.
 *
 * After every change, watch() sets the keys by the queue: WRITE while it is not empty,
 * READ while it is below HIGH_WATER.
 */
#include "reactor/relay.h"
#include "kit/fail.h"
#include "kit/nonblocking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_SIZE = 16 * 1024,
    WRITE_SIZE = 4096,        /* PIPE_BUF */
    LONGEST_LINE = 16 * 1024, /* longer ones are cut */
    HIGH_WATER = 64 * 1024,
};

static sel_callback read_cb, write_cb;

static void watch(line_relay *relay)
{
    int reads = relay->queue.size < HIGH_WATER ? SEL_EVENT_READ : 0;
    int writes = relay->queue.size > 0 ? SEL_EVENT_WRITE : 0;
    for (relay_pipe *pipe = relay->pipes; pipe < relay->pipes + RELAY_PIPES; pipe++)
        if (pipe->fd >= 0)
            sel_modify(relay->sel, pipe->fd, reads, read_cb, pipe);
    if (!relay->always_ready)
        sel_modify(relay->sel, STDOUT_FILENO, writes, write_cb, relay);
}

static void fail_to_print(line_relay *relay, int error)
{
    note(true, "cannot write to stdout: %s", sel_strerror(error));
    relay->broken = true;
    bytearray_clear(&relay->queue);
}

/* A writable pipe takes WRITE_SIZE bytes at once, but not always more. */
static void write_some(line_relay *relay)
{
    bytearray *queue = &relay->queue;
    size_t size = queue->size < WRITE_SIZE ? queue->size : WRITE_SIZE;
    ssize_t written = write(STDOUT_FILENO, bytearray_bytes(queue), size);
    if (written >= 0)
        bytearray_remove(queue, (size_t)written);
    else if (!would_block())
        fail_to_print(relay, errno);
}

static void write_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    line_relay *relay = key->data;
    write_some(relay);
    watch(relay);
    if (relay->broken)
        relay->changed(sel, relay->data);
}

void relay_print(line_relay *relay, const char *name, const char *text, size_t size)
{
    bytearray *queue = &relay->queue;
    char prefix[64];
    int length = snprintf(prefix, sizeof prefix, "%.3f %s: ",
                          sel_time(relay->sel) - relay->start, name);
    if (relay->broken)
        return;
    int error = bytearray_extend(queue, prefix, (size_t)length);
    if (error == 0)
        error = bytearray_extend(queue, text, size);
    if (error == 0)
        error = bytearray_extend(queue, "\n", 1);
    if (error < 0)
        fail_to_print(relay, error);
    while (relay->always_ready && queue->size > 0)
        write_some(relay);
    watch(relay);
}

/* Print the complete lines; if the pipe has ended, the last one too. */
static void print_lines(relay_pipe *pipe)
{
    bytearray *line = &pipe->line;
    while (line->size > 0) {
        const char *text = bytearray_bytes(line);
        size_t size = line->size < LONGEST_LINE ? line->size : LONGEST_LINE;
        const char *newline = memchr(text, '\n', size);
        if (newline == NULL && size < LONGEST_LINE && pipe->fd >= 0)
            return;
        if (newline != NULL)
            size = (size_t)(newline - text);
        relay_print(pipe->relay, pipe->name, text, size);
        bytearray_remove(line, newline != NULL ? size + 1 : size);
    }
}

static void close_pipe(relay_pipe *pipe)
{
    if (pipe->fd < 0)
        return;
    sel_unregister(pipe->relay->sel, pipe->fd);
    close(pipe->fd);
    pipe->fd = -1;
}

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    relay_pipe *pipe = key->data;
    line_relay *relay = pipe->relay;
    char data[READ_SIZE];
    ssize_t size = read(pipe->fd, data, sizeof data);
    if (size < 0 && would_block())
        return;
    if (size <= 0)
        close_pipe(pipe);
    else if (bytearray_extend(&pipe->line, data, (size_t)size) < 0)
        fail_to_print(relay, -ENOMEM);
    print_lines(pipe);
    if (relay->broken || pipe->fd < 0)
        relay->changed(sel, relay->data);
}

void relay_open(line_relay *relay, sel_selector *sel, sel_task *changed, void *data)
{
    *relay = (line_relay){
        .sel = sel, .changed = changed, .data = data, .start = sel_time(sel)};
    for (int i = 0; i < RELAY_PIPES; i++)
        relay->pipes[i].fd = -1;
    int error = sel_register(sel, STDOUT_FILENO, SEL_EVENT_WRITE, write_cb, relay);
    relay->always_ready = error == -EPERM;
    if (error < 0 && !relay->always_ready)
        fail(EXIT_FAILURE, "cannot watch stdout: %s", sel_strerror(error));
    watch(relay);
}

int relay_add_pipe(line_relay *relay, int number, const char *name)
{
    relay_pipe *new = &relay->pipes[number];
    int ends[2];
    int error = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
    if (error == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        error = -errno;
    if (error == 0)
        error = sel_register(relay->sel, ends[0], SEL_EVENT_READ, read_cb, new);
    if (error < 0)
        fail(EXIT_FAILURE, "cannot watch a pipe: %s", sel_strerror(error));
    *new = (relay_pipe){.relay = relay, .name = name, .fd = ends[0]};
    return ends[1];
}

bool relay_has_ended(const line_relay *relay)
{
    for (int i = 0; i < RELAY_PIPES; i++)
        if (relay->pipes[i].fd >= 0)
            return false;
    return true;
}

void relay_close(line_relay *relay)
{
    for (int i = 0; i < RELAY_PIPES; i++) {
        close_pipe(&relay->pipes[i]);
        bytearray_clear(&relay->pipes[i].line);
    }
    bytearray_clear(&relay->queue);
    if (!relay->always_ready)
        sel_unregister(relay->sel, STDOUT_FILENO);
}
