/* SPDX-License-Identifier: MIT */
/*
 * A c-ares channel on a selector: a file to copy.
 *
 * c-ares says by a callback which events of a socket it waits for.  When it has to be called
 * at the latest it says only when asked, ares_timeout(), and the answer changes with every
 * question.  So whatever changes a socket, the first question does, sets the timer, and it
 * is never further away than a second: the program asks what it likes from where it likes.
 *
 * The program ignores SIGPIPE, for over TCP c-ares writes with writev(2).
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

/* Sets the one timer. */
static inline void selkie_cares_call_later(selkie_cares *self, double delay)
{
    sel_cancel(self->sel, self->timer);
    sel_call_later(self->sel, delay, selkie_cares_expired, self, &self->timer);
}

/*
 * Lets c-ares read, write and give up what has taken too long; it answers questions here.
 * ares_timeout() cuts off a part of a millisecond.
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

/* It is time, or a question has been asked. */
static inline void selkie_cares_expired(sel_selector *sel, void *data)
{
    (void)sel;
    selkie_cares_process(data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/*
 * c-ares's sock_state_cb: what to watch a socket for from now on, nothing before it is closed.
 * A question whose socket can't be watched ends by its timeout.
 */
static inline void selkie_cares_watch(void *data, ares_socket_t fd, int reads, int writes)
{
    selkie_cares *self = data;
    int events = (reads ? SEL_EVENT_READ : 0) | (writes ? SEL_EVENT_WRITE : 0);

    if (events == 0)
        sel_unregister(self->sel, fd);
    else if (sel_register(self->sel, fd, events, selkie_cares_ready, self) == -EEXIST)
        sel_modify(self->sel, fd, events, selkie_cares_ready, self);
    selkie_cares_call_later(self, 0); /* the question has no timeout yet */
}

/* Makes the channel.  Arguments and result are those of ares_init_options(). */
static inline int selkie_cares_open(selkie_cares *self, sel_selector *sel,
                                    struct ares_options options, int mask)
{
    *self = (selkie_cares){.sel = sel};
    options.sock_state_cb = selkie_cares_watch;
    options.sock_state_cb_data = self;
    return ares_init_options(&self->channel, &options, mask | ARES_OPT_SOCK_STATE_CB);
}

/*
 * Ends; open questions are answered with ARES_EDESTRUCTION.  Not for c-ares's callbacks, an
 * answer's say, which call it by a sel_call_soon() task.
 */
static inline void selkie_cares_close(selkie_cares *self)
{
    ares_destroy(self->channel);
    sel_cancel(self->sel, self->timer);
}
