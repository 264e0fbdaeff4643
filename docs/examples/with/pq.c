/* SPDX-License-Identifier: MIT */
/*
 * pq CONNINFO QUERY: send a query to a PostgreSQL server and print the rows.
 */
#include "selkie_pq.h"

#include <stdio.h>
#include <string.h>

/* The connection is the first member, so that its callback can find the rest. */
typedef struct {
    selkie_pq pq;
    const char *query;
    bool is_asked;
    int status;
} question;

/* libpq's messages may have more lines, with advice. */
static void fail(question *self, const char *message)
{
    fprintf(stderr, "pq: %.*s\n", (int)strcspn(message, "\n"), message);
    self->status = 1;
}

static void print_rows(question *self, const PGresult *result)
{
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        fail(self, PQresultErrorMessage(result));
    for (int row = 0; row < PQntuples(result); row++)
        for (int column = 0; column < PQnfields(result); column++)
            printf("%s%c", PQgetvalue(result, row, column),
                   column + 1 < PQnfields(result) ? '\t' : '\n');
}

static void on_event(selkie_pq *pq, ConnStatusType status)
{
    question *self = (question *)pq;
    PGresult *result;

    if (status != CONNECTION_OK) {
        fail(self, PQerrorMessage(pq->conn));
        selkie_pq_finish(pq);
        return;
    }
    if (!self->is_asked) {
        self->is_asked = true;
        if (PQsendQuery(pq->conn, self->query) && selkie_pq_flush(pq))
            return;
        fail(self, PQerrorMessage(pq->conn));
        selkie_pq_finish(pq);
        return;
    }
    while (!PQisBusy(pq->conn)) {
        result = PQgetResult(pq->conn);
        if (result == NULL) { /* that was all */
            selkie_pq_finish(pq);
            return;
        }
        print_rows(self, result);
        PQclear(result);
    }
}

int main(int argc, char **argv)
{
    question self = {.pq.on_event = on_event};
    sel_selector *sel;

    if (argc != 3) {
        fputs("usage: pq CONNINFO QUERY\n", stderr);
        return 2;
    }
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 1;
    self.query = argv[2];
    if (selkie_pq_connect(&self.pq, sel, argv[1])) {
        sel_run(sel);
    } else {
        fail(&self, PQerrorMessage(self.pq.conn));
        selkie_pq_finish(&self.pq);
    }
    sel_close(sel);
    return self.status;
}
