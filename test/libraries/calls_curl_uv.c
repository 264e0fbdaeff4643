/* SPDX-License-Identifier: MIT */
/*
 * The same as calls_curl.c on libuv's own loop, as a program without selkie would do it: a
 * poll handle for each socket, and a timer.
 *
 *     calls_curl_uv URL COUNT
 */
#include <uv.h>

#include <curl/curl.h>
#include <stdlib.h>

typedef struct {
    uv_loop_t loop;
    uv_timer_t timer;
    CURLM *multi;
    CURL *easy;
    int left;
} program;

typedef struct {
    uv_poll_t poll;
    program *owner;
    curl_socket_t fd;
} watched;

static void act(program *self, curl_socket_t fd, int events)
{
    CURLMsg *message;
    int count;

    curl_multi_socket_action(self->multi, fd, events, &count);
    while ((message = curl_multi_info_read(self->multi, &count)) != NULL) {
        CURLcode result = message->data.result;
        curl_multi_remove_handle(self->multi, self->easy);
        if (result == CURLE_OK && --self->left > 0)
            curl_multi_add_handle(self->multi, self->easy);
    }
}

static void poll_cb(uv_poll_t *poll, int status, int events)
{
    watched *self = poll->data;
    int what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
               (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
               (status < 0 ? CURL_CSELECT_ERR : 0);

    act(self->owner, self->fd, what);
}

static void timer_cb(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long milliseconds, void *data)
{
    program *self = data;

    (void)multi;
    if (milliseconds < 0)
        uv_timer_stop(&self->timer);
    else
        uv_timer_start(&self->timer, timer_cb, (uint64_t)milliseconds, 0);
    return 0;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
    program *owner = data;
    watched *self = known;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (self != NULL) {
            curl_multi_assign(owner->multi, fd, NULL);
            uv_poll_stop(&self->poll);
            uv_close((uv_handle_t *)&self->poll, closed);
        }
        return 0;
    }
    if (self == NULL) {
        self = calloc(1, sizeof *self);
        if (self == NULL || uv_poll_init_socket(&owner->loop, &self->poll, fd) < 0)
            abort();
        self->owner = owner;
        self->fd = fd;
        self->poll.data = self;
        curl_multi_assign(owner->multi, fd, self);
    }
    uv_poll_start(&self->poll,
                  (what & CURL_POLL_IN ? UV_READABLE : 0) |
                      (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
                  poll_cb);
    return 0;
}

static size_t drop(char *data, size_t one, size_t size, void *unused)
{
    (void)data, (void)one, (void)unused;
    return size;
}

int main(int argc, char **argv)
{
    program self = {.left = argc > 2 ? atoi(argv[2]) : 0,
                    .multi = curl_multi_init(), .easy = curl_easy_init()};

    if (self.left <= 0 || self.multi == NULL || self.easy == NULL ||
        uv_loop_init(&self.loop) < 0)
        return 2;
    uv_timer_init(&self.loop, &self.timer);
    self.timer.data = &self;
    curl_multi_setopt(self.multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(self.multi, CURLMOPT_SOCKETDATA, &self);
    curl_multi_setopt(self.multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(self.multi, CURLMOPT_TIMERDATA, &self);
    curl_easy_setopt(self.easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(self.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(self.easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(self.easy, CURLOPT_WRITEFUNCTION, drop);
    curl_multi_add_handle(self.multi, self.easy);
    uv_run(&self.loop, UV_RUN_DEFAULT);
    curl_easy_cleanup(self.easy);
    curl_multi_cleanup(self.multi);
    uv_close((uv_handle_t *)&self.timer, NULL);
    uv_run(&self.loop, UV_RUN_DEFAULT);
    uv_loop_close(&self.loop);
    return self.left == 0 ? 0 : 1;
}
