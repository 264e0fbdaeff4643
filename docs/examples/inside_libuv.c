/* SPDX-License-Identifier: MIT */
/*
 * A selector inside a libuv program: uv_run() calls the loop's own timer and the
 * selector's keys, and returns when both are done.
 */
#include <selkie.h>
#include <selkie/uv.h>

#include <stdio.h>
#include <unistd.h>

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    char data[100];
    ssize_t size = read(key->fd, data, sizeof data);

    (void)mask;
    if (size > 0)
        printf("selkie: read %.*s\n", (int)size, data);
    else
        sel_unregister(sel, key->fd);
}

/* libuv's side: a timer that writes once and closes the pipe. */
static void timer_cb(uv_timer_t *timer)
{
    int *fd = timer->data;

    puts("libuv: the timer");
    if (write(*fd, "hello", 5) != 5)
        perror("write");
    close(*fd);
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    sel_selector *sel;
    int ends[2];

    if (pipe(ends) < 0 || uv_loop_init(&loop) < 0 ||
        sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 1;
    int error = sel_attach_loop(sel, &loop);
    if (error == 0)
        error = sel_register(sel, ends[0], SEL_EVENT_READ, read_cb, NULL);
    if (error < 0) {
        fprintf(stderr, "inside_libuv: %s\n", sel_strerror(error));
        return 1;
    }
    uv_timer_init(&loop, &timer);
    timer.data = &ends[1];
    uv_timer_start(&timer, timer_cb, 10, 0);

    uv_run(&loop, UV_RUN_DEFAULT);

    sel_close(sel);
    close(ends[0]);
    uv_run(&loop, UV_RUN_DEFAULT); /* closes what sel_close() left on the loop */
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
