/* SPDX-License-Identifier: MIT */
/*
 * libpq under stress: SERVER is what PQconnectStart() takes.
 */
#include "selkie_pq.h"

#include "stress.h"

typedef struct stress stress;

/* A connection and what it does next. */
typedef struct {
    selkie_pq pq;
    stress *whole;
    bool is_made;
} client;

struct stress {
    sel_selector *sel;
    const char *conninfo;
    client first, second;
    int wanted, got, wrong;
    bool is_over, is_alive;
    sel_timer again;
};

static void give_up(client *self, const char *what)
{
    fprintf(stderr, "%s: %s", what, PQerrorMessage(self->pq.conn));
    self->whole->wrong++;
    selkie_pq_finish(&self->pq);
}

/* Connect, or finish at once. */
static void start(stress *self, client *which, void (*on_event)(selkie_pq *, ConnStatusType))
{
    *which = (client){.pq.on_event = on_event, .whole = self};
    if (!selkie_pq_connect(&which->pq, self->sel, self->conninfo))
        give_up(which, "connect");
}

static void ask(client *self, const char *query)
{
    if (!PQsendQuery(self->pq.conn, query) || !selkie_pq_flush(&self->pq))
        give_up(self, "ask");
}

/* --- rows: COUNT rows, the end of which comes long after the first --- */

static void on_rows(selkie_pq *pq, ConnStatusType status)
{
    client *self = (client *)pq;
    stress *whole = self->whole;
    PGresult *result;
    char query[100];

    if (status != CONNECTION_OK) {
        give_up(self, "lost");
        return;
    }
    if (!self->is_made) {
        self->is_made = true;
        snprintf(query, sizeof query,
                 "SELECT n, repeat('x', 500) FROM generate_series(0, %d) AS n",
                 whole->wanted - 1);
        ask(self, query);
        return;
    }
    while (!PQisBusy(pq->conn)) {
        if ((result = PQgetResult(pq->conn)) == NULL) {
            selkie_pq_finish(pq);
            return;
        }
        for (int row = 0; row < PQntuples(result); row++)
            if (atoi(PQgetvalue(result, row, 0)) != whole->got++ ||
                PQgetlength(result, row, 1) != 500)
                whole->wrong++;
        PQclear(result);
    }
}

/* --- large: a query of COUNT bytes, more than a socket takes at once --- */

static void on_large(selkie_pq *pq, ConnStatusType status)
{
    client *self = (client *)pq;
    PGresult *result;

    if (status != CONNECTION_OK) {
        give_up(self, "lost");
        return;
    }
    if (!self->is_made) {
        char *text = malloc((size_t)self->whole->wanted + 1);
        const char *const values[] = {text};
        self->is_made = true;
        memset(text, 'x', (size_t)self->whole->wanted);
        text[self->whole->wanted] = '\0';
        if (!PQsendQueryParams(pq->conn, "SELECT length($1::text)", 1, NULL, values, NULL,
                               NULL, 0) ||
            !selkie_pq_flush(pq))
            give_up(self, "ask");
        free(text);
        return;
    }
    while (!PQisBusy(pq->conn)) {
        if ((result = PQgetResult(pq->conn)) == NULL) {
            selkie_pq_finish(pq);
            return;
        }
        if (PQntuples(result) == 1)
            self->whole->got = atoi(PQgetvalue(result, 0, 0));
        PQclear(result);
    }
}

/* --- notify: one connection listens, the other notifies COUNT times --- */

static void read_results(client *self)
{
    PGresult *result;

    while (!PQisBusy(self->pq.conn) && (result = PQgetResult(self->pq.conn)) != NULL) {
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            self->whole->wrong++;
        PQclear(result);
    }
}

static void on_notifier(selkie_pq *pq, ConnStatusType status)
{
    client *self = (client *)pq;
    char query[200];

    if (status != CONNECTION_OK) {
        give_up(self, "lost");
    } else if (!self->is_made) {
        self->is_made = true;
        snprintf(query, sizeof query,
                 "DO $$ BEGIN FOR i IN 0..%d LOOP PERFORM pg_notify('numbers%d', i::text); "
                 "END LOOP; END $$",
                 self->whole->wanted - 1, PQbackendPID(self->whole->first.pq.conn));
        ask(self, query);
    } else {
        read_results(self);
        if (!PQisBusy(pq->conn))
            selkie_pq_finish(pq);
    }
}

static void on_listener(selkie_pq *pq, ConnStatusType status)
{
    client *self = (client *)pq;
    stress *whole = self->whole;
    PGnotify *note;
    char query[40];

    if (status != CONNECTION_OK) {
        give_up(self, "lost");
        return;
    }
    if (!self->is_made) {
        self->is_made = true;
        snprintf(query, sizeof query, "LISTEN numbers%d", PQbackendPID(pq->conn));
        ask(self, query);
        return;
    }
    read_results(self);
    if (!PQisBusy(pq->conn) && whole->second.pq.on_event == NULL)
        start(whole, &whole->second, on_notifier);
    while ((note = PQnotifies(pq->conn)) != NULL) {
        if (atoi(note->extra) != whole->got++)
            whole->wrong++;
        PQfreemem(note);
    }
    if (whole->got == whole->wanted)
        selkie_pq_finish(pq);
}

static int run(sel_selector *sel, const char *conninfo, int count,
               void (*on_event)(selkie_pq *, ConnStatusType))
{
    stress self = {.sel = sel, .conninfo = conninfo, .wanted = count};

    start(&self, &self.first, on_event);
    sel_run(sel);
    printf("%d, %d wrong\n", self.got, self.wrong);
    return self.got != count || self.wrong != 0;
}

static int rows(sel_selector *sel, const char *conninfo, int count)
{
    return run(sel, conninfo, count, on_rows);
}

static int large(sel_selector *sel, const char *conninfo, int count)
{
    return run(sel, conninfo, count, on_large);
}

static int notify(sel_selector *sel, const char *conninfo, int count)
{
    return run(sel, conninfo, count, on_listener);
}

/* --- survive: connects whenever it is not; with COUNT, a query is always under way --- */

static sel_task connect_again;

static void lose(stress *self)
{
    if (self->is_alive)
        puts("lost");
    self->is_alive = false;
    selkie_pq_finish(&self->first.pq);
    self->first.pq.conn = NULL;
    if (!self->is_over)
        sel_call_later(self->sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
}

/* libpq prints what the server says of itself to stderr. */
static void ignore(void *data, const char *message)
{
    (void)data, (void)message;
}

static void on_survivor(selkie_pq *pq, ConnStatusType status)
{
    client *self = (client *)pq;

    if (status != CONNECTION_OK) {
        lose(self->whole);
        return;
    }
    if (!self->is_made) {
        self->is_made = self->whole->is_alive = true;
        PQsetNoticeProcessor(pq->conn, ignore, NULL);
        printf("made %d %d\n", PQsocket(pq->conn), PQbackendPID(pq->conn));
        if (self->whole->wanted && (!PQsendQuery(pq->conn, "SELECT pg_sleep(1000)") ||
                                    !selkie_pq_flush(pq)))
            lose(self->whole);
        return;
    }
    PGresult *result = NULL;
    while (!PQisBusy(pq->conn) && (result = PQgetResult(pq->conn)) != NULL)
        PQclear(result);
}

static void connect_again(sel_selector *sel, void *data)
{
    stress *self = data;

    self->first = (client){.pq.on_event = on_survivor, .whole = self};
    if (!selkie_pq_connect(&self->first.pq, sel, self->conninfo))
        lose(self);
}

static void end(sel_selector *sel, const sel_key *key, int mask)
{
    stress *self = key->data;

    (void)mask;
    self->is_over = true;
    sel_unregister(sel, key->fd);
    sel_cancel(sel, self->again);
    if (self->first.pq.conn != NULL)
        selkie_pq_finish(&self->first.pq);
}

static int survive(sel_selector *sel, const char *conninfo, int count)
{
    stress self = {.sel = sel, .conninfo = conninfo, .wanted = count};

    return stress_survive(sel, connect_again, end, &self);
}

int main(int argc, char **argv)
{
    static const stress_choice choices[] = {
        {"rows", rows},
        {"large", large},
        {"notify", notify},
        {"survive", survive},
        {NULL, NULL},
    };

    return stress_main(argc, argv, choices);
}
