/* SPDX-License-Identifier: MIT */
/*
 * A c-ares channel on a selector: a file to copy.
 *
 * c-ares uses a callback to say which events of a socket it waits for.  It says by when it
 * must be called only if asked, with ares_timeout(), and every query changes the answer.
 * So any change of a socket, such as the first query makes, sets the timer, which is never
 * more than a second away: the program may make queries whenever and wherever it likes.
 *
 * The program must ignore SIGPIPE, because over TCP c-ares writes with writev(2).
 */
#pragma once
#include <selkie.h>

#include <ares.h>
#include <sys/time.h>

typedef struct {
    sel_selector *sel;
    ares_channel channel;
    sel_timer timer;
} selkie_cares;

static inline sel_task selkie_cares_expired;

/* Set the only timer. */
static inline void selkie_cares_call_later(selkie_cares *self, double delay)
{
    sel_cancel(self->sel, self->timer);
    sel_call_later(self->sel, delay, selkie_cares_expired, self, &self->timer);
}

/*
 * Let c-ares read, write and give up on what has taken too long; it answers queries in
 * here. ares_timeout() drops fractions of a millisecond, so one is added.
 */
static inline void selkie_cares_process(selkie_cares *self, ares_socket_t in,
                                        ares_socket_t out)
{
    struct timeval wait;

    ares_process_fd(self->channel, in, out);
    sel_cancel(self->sel, self->timer);
    if (ares_timeout(self->channel, NULL, &wait) != NULL)
        selkie_cares_call_later(
            self, wait.tv_sec > 0 ? 1 : (double)wait.tv_usec / 1e6 + 1e-3);
}

/* A socket is ready. */
static inline void selkie_cares_ready(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    selkie_cares_process(key->data, mask & SEL_EVENT_READ ? key->fd : ARES_SOCKET_BAD,
                         mask & SEL_EVENT_WRITE ? key->fd : ARES_SOCKET_BAD);
}

/* The timer has expired, or a query has been made. */
static inline void selkie_cares_expired(sel_selector *sel, void *data)
{
    (void)sel;
    selkie_cares_process(data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/*
 * c-ares's sock_state_cb: what to watch a socket for from now on; nothing, before it is
 * closed.  If a socket can't be watched, its query times out.
 */
static inline void selkie_cares_watch(void *data, ares_socket_t fd, int reads, int writes)
{
    selkie_cares *self = data;
    int events = (reads ? SEL_EVENT_READ : 0) | (writes ? SEL_EVENT_WRITE : 0);

    if (events == 0)
        sel_unregister(self->sel, fd);
    else if (sel_register(self->sel, fd, events, selkie_cares_ready, self) == -EEXIST)
        sel_modify(self->sel, fd, events, selkie_cares_ready, self);
    selkie_cares_call_later(self, 0); /* the query has no timeout yet */
}

/* Make the channel.  Arguments and result are those of ares_init_options(). */
static inline int selkie_cares_open(selkie_cares *self, sel_selector *sel,
                                    struct ares_options options, int mask)
{
    *self = (selkie_cares){.sel = sel};
    options.sock_state_cb = selkie_cares_watch;
    options.sock_state_cb_data = self;
    return ares_init_options(&self->channel, &options, mask | ARES_OPT_SOCK_STATE_CB);
}

/*
 * Close the channel; open queries are answered with ARES_EDESTRUCTION.  Must not be called
 * in one of c-ares's callbacks, such as an answer: there, queue a task with
 * sel_call_soon().
 */
static inline void selkie_cares_close(selkie_cares *self)
{
    ares_destroy(self->channel);
    sel_cancel(self->sel, self->timer);
}
