/* SPDX-License-Identifier: MIT */
/*
 * Fetch a URL with a selector inside uv_run(), next to one of libuv's own timers.
 *
 *     curl_inside_libuv URL
 */
#include "selkie_curl.h"

#include <selkie/uv.h>

#include <stdio.h>

/* libcurl's write function. */
static size_t count(char *data, size_t one, size_t size, void *total)
{
    (void)data, (void)one;
    *(size_t *)total += size;
    return size;
}

static void done(selkie_curl *curl, CURL *easy, CURLcode result)
{
    (void)curl, (void)easy;
    if (result != CURLE_OK)
        fprintf(stderr, "curl_inside_libuv: %s\n", curl_easy_strerror(result));
}

/* libuv's side: a timer that does not keep the loop alive. */
static void tick(uv_timer_t *timer)
{
    ++*(int *)timer->data;
}

static void start_ticks(uv_loop_t *loop, uv_timer_t *timer, int *ticks)
{
    uv_timer_init(loop, timer);
    timer->data = ticks;
    uv_timer_start(timer, tick, 0, 1);
    uv_unref((uv_handle_t *)timer);
}

int main(int argc, char **argv)
{
    selkie_curl curl = {.done = done};
    CURL *easy = curl_easy_init();
    uv_loop_t loop;
    uv_timer_t timer;
    size_t size = 0;
    int ticks = 0;

    curl.multi = curl_multi_init();
    if (argc != 2 || easy == NULL || curl.multi == NULL || uv_loop_init(&loop) < 0 ||
        sel_open(SEL_BACKEND_DEFAULT, &curl.sel) < 0 || sel_attach_loop(curl.sel, &loop) < 0) {
        fprintf(stderr, "usage: curl_inside_libuv URL\n");
        return 2;
    }
    start_ticks(&loop, &timer, &ticks);
    selkie_curl_start(&curl);
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &size);
    curl_multi_add_handle(curl.multi, easy);

    uv_run(&loop, UV_RUN_DEFAULT); /* until libcurl has nothing left to wait for */

    printf("%zu bytes, and libuv's timer %s\n", size, ticks > 0 ? "went on" : "stood still");
    curl_easy_cleanup(easy);
    selkie_curl_close(&curl);
    sel_close(curl.sel);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* what sel_close() left on the loop goes here */
    return uv_loop_close(&loop) == 0 && size > 0 ? 0 : 1;
}
