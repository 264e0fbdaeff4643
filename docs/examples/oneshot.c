/* SPDX-License-Identifier: MIT */
/*
 * What EPOLLONESHOT is for, done by pausing: a callback is called once for its descriptor,
 * and again only after whoever took it over has given it back.
 */
#include <selkie.h>

#include <stdio.h>
#include <unistd.h>

static void read_cb(sel_selector *sel, const sel_key *key, int mask);

/* The descriptor has been given back: watch it again. */
static void resume(sel_selector *sel, void *data)
{
    int fd = *(int *)data;
    char byte;

    if (read(fd, &byte, 1) == 1)
        printf("took %c\n", byte);
    sel_modify(sel, fd, byte == 'b' ? 0 : SEL_EVENT_READ, read_cb, data);
}

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    puts("ready, paused");
    sel_modify(sel, key->fd, 0, read_cb, key->data); /* once */
    sel_call_later(sel, 0.02, resume, key->data, NULL);
}

int main(void)
{
    sel_selector *sel;
    int ends[2];

    if (pipe(ends) < 0 || sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        sel_register(sel, ends[0], SEL_EVENT_READ, read_cb, &ends[0]) < 0 ||
        write(ends[1], "ab", 2) != 2)
        return 1;
    sel_run(sel); /* until the only key is paused for good */
    sel_close(sel);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
