/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on a selector: a file to copy.
 *
 * libcurl uses one callback to say which events of a socket it waits for, and another to
 * say by when it must be called.  Start a transfer with curl_multi_add_handle(self->multi,
 * easy); curl_multi_remove_handle() cancels it. sel_run() keeps going while there are
 * transfers.  Like those two functions, nothing here may be called in libcurl's own
 * callbacks, such as a write function.
 */
#pragma once
#include <selkie.h>

#include <curl/curl.h>

typedef struct selkie_curl {
    sel_selector *sel;
    CURLM *multi;
    sel_timer timer; /* libcurl needs only one */
    void (*done)(struct selkie_curl *self, CURL *easy, CURLcode result);
} selkie_curl;

/*
 * Let libcurl do what it can, and hand over the transfers that have ended.  They have been
 * removed by then: `done` may clean up its own, add it again and add others.
 */
static inline void selkie_curl_act(selkie_curl *self, curl_socket_t fd, int events)
{
    int count;

    curl_multi_socket_action(self->multi, fd, events, &count);
    for (CURLMsg *next; (next = curl_multi_info_read(self->multi, &count)) != NULL;) {
        CURLMsg ended = *next; /* a copy: removing the transfer frees the original */
        curl_multi_remove_handle(self->multi, ended.easy_handle);
        self->done(self, ended.easy_handle, ended.data.result);
    }
}

/* A socket is ready. libcurl uses the same bits for reading and writing. */
static inline void selkie_curl_ready(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    selkie_curl_act(key->data, key->fd, mask);
}

/* libcurl's timer has expired. */
static inline void selkie_curl_expired(sel_selector *sel, void *data)
{
    (void)sel;
    selkie_curl_act(data, CURL_SOCKET_TIMEOUT, 0);
}

/* For CURLMOPT_TIMERFUNCTION: when to call libcurl; -1: not at all. */
static inline int selkie_curl_set_timer(CURLM *multi, long wait, void *data)
{
    selkie_curl *self = data;

    (void)multi;
    sel_cancel(self->sel, self->timer);
    if (wait >= 0)
        sel_call_later(self->sel, (double)wait / 1e3, selkie_curl_expired, self, &self->timer);
    return 0;
}

/*
 * For CURLMOPT_SOCKETFUNCTION: what to watch a socket for from now on.
 *
 * sel_register() comes first because it knows whether the number is still the socket that
 * was watched (-EEXIST) or another one.  A failure is never returned, because libcurl 7.88
 * would crash: a transfer whose socket can't be watched times out.
 */
static inline int selkie_curl_watch(CURL *easy, curl_socket_t fd, int how, void *data, void *p)
{
    selkie_curl *self = data;

    (void)easy, (void)p;
    if (how == CURL_POLL_REMOVE)
        sel_unregister(self->sel, fd);
    else if (sel_register(self->sel, fd, how, selkie_curl_ready, self) == -EEXIST)
        sel_modify(self->sel, fd, how, selkie_curl_ready, self);
    return 0;
}

/* Start; `multi` is from curl_multi_init(), and `sel` and `done` are set too. */
static inline void selkie_curl_start(selkie_curl *self)
{
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, selkie_curl_watch);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, selkie_curl_set_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
}

/*
 * End, after the program has removed its transfers.  Must not be called in `done`: there,
 * queue a task with sel_call_soon().
 */
static inline void selkie_curl_close(selkie_curl *self)
{
    curl_multi_cleanup(self->multi); /* the callback unregisters its last sockets */
    sel_cancel(self->sel, self->timer);
}
