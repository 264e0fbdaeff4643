/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on a selector: a file to copy.
 *
 * libcurl says by one callback which events of a socket it waits for, and by another when it
 * wants to be called at the latest.  A transfer begins with curl_multi_add_handle(self->multi,
 * easy); curl_multi_remove_handle() gives it up before its end.  sel_run() goes on for them.
 * As with those two, nothing here is for libcurl's own callbacks, such as a write function.
 */
#pragma once
#include <selkie.h>

#include <curl/curl.h>

typedef struct selkie_curl {
    sel_selector *sel;
    CURLM *multi;
    sel_timer timer; /* libcurl has one */
    void (*done)(struct selkie_curl *self, CURL *easy, CURLcode result);
} selkie_curl;

/*
 * Lets libcurl do what it can, and hands over the transfers that have ended.  libcurl has let
 * go of them by then: `done` may clean its own up, add it again and add others.
 */
static inline void selkie_curl_act(selkie_curl *self, curl_socket_t fd, int events)
{
    int count;

    curl_multi_socket_action(self->multi, fd, events, &count);
    for (CURLMsg *next; (next = curl_multi_info_read(self->multi, &count)) != NULL;) {
        CURLMsg ended = *next; /* which goes with the transfer */
        curl_multi_remove_handle(self->multi, ended.easy_handle);
        self->done(self, ended.easy_handle, ended.data.result);
    }
}

/* A socket is ready.  Reading and writing are the same bits in libcurl. */
static inline void selkie_curl_ready(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    selkie_curl_act(key->data, key->fd, mask);
}

/* libcurl's time has come. */
static inline void selkie_curl_expired(sel_selector *sel, void *data)
{
    (void)sel;
    selkie_curl_act(data, CURL_SOCKET_TIMEOUT, 0);
}

/* For CURLMOPT_TIMERFUNCTION: when to call libcurl; -1: it need not be. */
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
 * sel_register() comes first, for it knows whether the number still is the socket that was
 * watched (-EEXIST) or another.  It is never said that this has failed (libcurl 7.88 crashes):
 * a transfer whose socket can't be watched ends by its timeout.
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

/* Begins; `multi` is from curl_multi_init(), and `sel` and `done` are set as well. */
static inline void selkie_curl_start(selkie_curl *self)
{
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, selkie_curl_watch);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, selkie_curl_set_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
}

/*
 * Ends; the program has removed its transfers.  Not for `done`, which calls it by a
 * sel_call_soon() task.
 */
static inline void selkie_curl_close(selkie_curl *self)
{
    curl_multi_cleanup(self->multi); /* its last sockets are taken away by the callback */
    sel_cancel(self->sel, self->timer);
}
