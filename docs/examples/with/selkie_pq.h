/* SPDX-License-Identifier: MIT */
/*
 * libpq's asynchronous connections on a selector: a file to copy.
 *
 * While it connects, libpq may close its socket and open another, as a rule with the same
 * number: so nothing is watched while PQconnectPoll() runs.  connect_timeout is not kept: a
 * timer of yours that calls selkie_pq_finish() does that.  Names are looked up before
 * libpq returns; say hostaddr where that may take long.
 */
#ifndef SELKIE_PQ_H
#define SELKIE_PQ_H

#include <selkie.h>

#include <libpq-fe.h>
#include <stdbool.h>

/* A connection; its memory is the caller's. */
typedef struct selkie_pq selkie_pq;
struct selkie_pq {
    sel_selector *sel;
    PGconn *conn;
    int fd; /* what is watched, or -1 */
    /*
     * Called with CONNECTION_OK when the connection is made and whenever something may have
     * come: ask PQisBusy(), PQgetResult() and PQnotifies() then, until they have no more.
     * Called with CONNECTION_BAD, once, when it can't be made or is lost.  It may call
     * selkie_pq_finish(), and free the memory that this is in.
     */
    void (*on_event)(selkie_pq *self, ConnStatusType status);
};

static inline void selkie_pq_ready(sel_selector *sel, const sel_key *key, int mask);

/*
 * Send what libpq holds back: to be called after each PQsendQuery() and the like.
 *
 * Returns false if the connection is lost, of which on_event says nothing.
 */
static inline bool selkie_pq_flush(selkie_pq *self)
{
    int left = PQflush(self->conn);
    int events = left > 0 ? SEL_EVENT_READ | SEL_EVENT_WRITE : SEL_EVENT_READ;

    return left >= 0 && !sel_modify(self->sel, self->fd, events, selkie_pq_ready, self);
}

/* One step towards a connection, and the socket that there is after it. */
static inline PostgresPollingStatusType selkie_pq_poll(selkie_pq *self)
{
    sel_unregister(self->sel, self->fd);
    PostgresPollingStatusType next = PQconnectPoll(self->conn);
    int events = next == PGRES_POLLING_WRITING ? SEL_EVENT_WRITE : SEL_EVENT_READ;
    self->fd = PQsocket(self->conn);
    if (next == PGRES_POLLING_OK && PQsetnonblocking(self->conn, 1) < 0)
        return PGRES_POLLING_FAILED;
    return sel_register(self->sel, self->fd, events, selkie_pq_ready, self) < 0
               ? PGRES_POLLING_FAILED : next;
}

/* The socket of a connection that is lost was closed by libpq. */
static inline void selkie_pq_ready(sel_selector *sel, const sel_key *key, int mask)
{
    selkie_pq *self = key->data;
    PostgresPollingStatusType next = PGRES_POLLING_OK;

    (void)mask;
    if (PQstatus(self->conn) != CONNECTION_OK)
        next = selkie_pq_poll(self);
    else if (!PQconsumeInput(self->conn) || !selkie_pq_flush(self))
        next = PGRES_POLLING_FAILED;
    if (next == PGRES_POLLING_FAILED) {
        sel_unregister(sel, self->fd);
        self->fd = -1;
    }
    if (next == PGRES_POLLING_OK || next == PGRES_POLLING_FAILED)
        self->on_event(self, next == PGRES_POLLING_OK ? CONNECTION_OK : CONNECTION_BAD);
}

/*
 * Begin to connect.  Returns false if that fails at once: PQerrorMessage(self->conn) says why,
 * and selkie_pq_finish() ends it.
 */
static inline bool selkie_pq_connect(selkie_pq *self, sel_selector *sel, const char *conninfo)
{
    self->sel = sel;
    self->conn = PQconnectStart(conninfo);
    self->fd = PQsocket(self->conn);
    return PQstatus(self->conn) != CONNECTION_BAD &&
           !sel_register(sel, self->fd, SEL_EVENT_WRITE, selkie_pq_ready, self);
}

/* End the connection, from anywhere; on_event is not called any more. */
static inline void selkie_pq_finish(selkie_pq *self)
{
    sel_unregister(self->sel, self->fd);
    PQfinish(self->conn);
}

#endif
