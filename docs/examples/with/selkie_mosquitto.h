/* SPDX-License-Identifier: MIT */
/*
 * libmosquitto's clients on a selector: a file to copy.
 *
 * libmosquitto does not announce what it waits for, so it is asked after whatever it did.
 * It closes its socket before it calls on_disconnect; that callback may connect again, and
 * anything else may be opened under the old number.  So a key is removed only if it is
 * still the client's own.
 *
 * It may write to a socket whose other end is closed: ignore SIGPIPE.
 */
#ifndef SELKIE_MOSQUITTO_H
#define SELKIE_MOSQUITTO_H

#include <selkie.h>

#include <mosquitto.h>

/* A client on a selector; its memory is the caller's. */
typedef struct {
    sel_selector *sel;
    struct mosquitto *mosq;
    int fd; /* what is watched, or -1 */
    sel_timer tick;
} selkie_mosquitto;

static inline void selkie_mosquitto_ready(sel_selector *sel, const sel_key *key, int mask);

/* By now the number may be somebody else's. */
static inline void selkie_mosquitto_unwatch(selkie_mosquitto *self)
{
    sel_key key;

    if (sel_get_key(self->sel, self->fd, &key) == 0 && key.data == self)
        sel_unregister(self->sel, self->fd);
}

/*
 * Watch for whatever the client waits for now.  Call it after each libmosquitto call that
 * you make outside its callbacks: mosquitto_connect_async(), mosquitto_publish() ...
 *
 * Returns 0, even if the client has no socket, or selkie's error.  It is tried again every
 * second.
 */
static inline int selkie_mosquitto_update(selkie_mosquitto *self)
{
    int fd = mosquitto_socket(self->mosq);
    int events = SEL_EVENT_READ | (mosquitto_want_write(self->mosq) ? SEL_EVENT_WRITE : 0);

    if (fd != self->fd)
        selkie_mosquitto_unwatch(self);
    self->fd = fd;
    /* Registers even if the number is another socket by now; -EEXIST: it is the same one. */
    int error = fd < 0 ? 0 : sel_register(self->sel, fd, events, selkie_mosquitto_ready, self);
    return error == -EEXIST
               ? sel_modify(self->sel, fd, events, selkie_mosquitto_ready, self) : error;
}

/* Reading may close the socket; if it then wrote as well, the client would be lost twice. */
static inline void selkie_mosquitto_ready(sel_selector *sel, const sel_key *key, int mask)
{
    selkie_mosquitto *self = key->data;

    (void)sel;
    if (mask & SEL_EVENT_READ)
        mosquitto_loop_read(self->mosq, 1);
    if (mask & SEL_EVENT_WRITE && mosquitto_socket(self->mosq) >= 0)
        mosquitto_loop_write(self->mosq, 1);
    selkie_mosquitto_update(self);
}

/* Sends pings, and notices if the broker does not answer them. */
static inline void selkie_mosquitto_tick(sel_selector *sel, void *data)
{
    selkie_mosquitto *self = data;

    (void)sel;
    mosquitto_loop_misc(self->mosq);
    selkie_mosquitto_update(self);
}

/*
 * Drive a client.  Connect it afterwards, with mosquitto_connect_async() and then
 * selkie_mosquitto_update().  Returns 0, or a negative errno, in which case the caller must
 * still destroy the client.
 */
static inline int selkie_mosquitto_attach(selkie_mosquitto *self, sel_selector *sel,
                                          struct mosquitto *mosq)
{
    *self = (selkie_mosquitto){.sel = sel, .mosq = mosq, .fd = -1};
    return sel_call_every(sel, 1, selkie_mosquitto_tick, self, &self->tick);
}

/*
 * End a client.  Not inside one of libmosquitto's callbacks, where the client is in use:
 * there, queue it with sel_call_soon(sel, selkie_mosquitto_destroy, self).  It may be
 * called twice, because on_disconnect may be called twice for one mosquitto_disconnect().
 */
static inline void selkie_mosquitto_destroy(sel_selector *sel, void *data)
{
    selkie_mosquitto *self = data;

    selkie_mosquitto_unwatch(self);
    if (sel_cancel(sel, self->tick) == 0)
        mosquitto_destroy(self->mosq);
}

#endif
