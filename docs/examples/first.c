/* SPDX-License-Identifier: MIT */
/*
 * A first program: wait for input and, when it ends, half a second more for a timer.
 */
#include <selkie.h>

#include <stdio.h>
#include <unistd.h>

static void timer_cb(sel_selector *sel, void *data)
{
    (void)sel;
    puts(data);
}

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    char data[1000];
    ssize_t size = read(key->fd, data, sizeof data);

    (void)mask;
    if (size > 0) {
        printf("read %d bytes\n", (int)size);
        return;
    }
    puts("end of input");
    sel_unregister(sel, key->fd);
    sel_call_later(sel, 0.5, timer_cb, "half a second later", NULL);
}

int main(void)
{
    sel_selector *sel;

    int error = sel_open(SEL_BACKEND_DEFAULT, &sel);
    if (error == 0)
        error = sel_register(sel, STDIN_FILENO, SEL_EVENT_READ, read_cb, NULL);
    if (error == 0)
        error = sel_run(sel); /* until there is nothing left to wait for */
    if (error < 0)
        fprintf(stderr, "first: %s\n", sel_strerror(error));
    sel_close(sel);
    return error < 0;
}
