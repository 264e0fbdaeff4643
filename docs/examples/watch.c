/* SPDX-License-Identifier: MIT */
/*
 * For a library that keeps saying what it waits for, reading, writing or both, as libcurl,
 * libpq and c-ares do: a reader and a writer follow it.
 */
#include <selkie.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    sel_selector *sel;
    int fd;
} connection;

static void on_readable(sel_selector *sel, void *data);
static void on_writable(sel_selector *sel, void *data);

// [watch]
/* Removing one that is not there returns -ENOENT, which does no harm. */
static void watch(connection *self, bool reads, bool writes)
{
    if (reads)
        sel_add_reader(self->sel, self->fd, on_readable, self);
    else
        sel_remove_reader(self->sel, self->fd);
    if (writes)
        sel_add_writer(self->sel, self->fd, on_writable, self);
    else
        sel_remove_writer(self->sel, self->fd);
}
// [/watch]

static void on_writable(sel_selector *sel, void *data)
{
    connection *self = data;

    (void)sel;
    puts("writer: a question");
    if (send(self->fd, "?", 1, MSG_NOSIGNAL) == 1)
        watch(self, true, false);
}

static void on_readable(sel_selector *sel, void *data)
{
    connection *self = data;
    char byte;

    (void)sel;
    if (recv(self->fd, &byte, 1, 0) == 1)
        printf("reader: %c\n", byte);
    watch(self, false, false);
}

int main(void)
{
    connection self;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
        sel_open(SEL_BACKEND_DEFAULT, &self.sel) < 0)
        return 1;
    self.fd = ends[0];
    watch(&self, true, true);
    sel_select(self.sel, SEL_FOREVER, NULL); /* writable, nothing to read yet */
    sel_dispatch(self.sel);
    if (send(ends[1], "!", 1, MSG_NOSIGNAL) != 1)
        return 1;
    sel_run(self.sel); /* until nothing is watched */
    sel_close(self.sel);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
