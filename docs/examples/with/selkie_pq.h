/* SPDX-License-Identifier: MIT */
/*
 * libpq's asynchronous connections on a selector: a file to copy.
 *
 * While it connects, libpq may close its socket and open another, usually with the same
 * number, so nothing is watched while PQconnectPoll() runs. connect_timeout has no effect;
 * set a timer that calls selkie_pq_finish() instead.  Host names are looked up before
 * PQconnectStart() returns; use hostaddr if that may take long.
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
     * arrived: then call PQisBusy(), PQgetResult() and PQnotifies() until they have no
     * more.  Called once with CONNECTION_BAD when the connection can't be made or is lost.
     * It may call selkie_pq_finish() and free the memory that this struct is in.
     */
    void (*on_event)(selkie_pq *self, ConnStatusType status);
};

static inline void selkie_pq_ready(sel_selector *sel, const sel_key *key, int mask);

/*
 * Send what libpq has buffered; call it after each PQsendQuery() and the like.
 *
 * Returns false if the connection is lost; on_event is not called for that.
 */
static inline bool selkie_pq_flush(selkie_pq *self)
{
    int left = PQflush(self->conn);
    int events = left > 0 ? SEL_EVENT_READ | SEL_EVENT_WRITE : SEL_EVENT_READ;

    return left >= 0 && !sel_modify(self->sel, self->fd, events, selkie_pq_ready, self);
}

/* One step towards a connection, after which the socket may be another. */
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

/* Note that libpq has already closed the socket of a lost connection. */
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
 * Begin to connect.  Returns false if that fails at once: PQerrorMessage(self->conn) says
 * why, and selkie_pq_finish() cleans up.
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
