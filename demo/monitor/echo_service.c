/* SPDX-License-Identifier: MIT */
/* A client is watched for WRITE while something is queued for it, otherwise for READ. */
#include "monitor/echo_service.h"
#include "kit/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct echo_client {
    connection conn;
    echo_client *next, *previous;
};

static void hang_up(echo_client *client)
{
    echo_service *service = client->conn.server;
    note(service->verbose, "%d: echo: closed", client->conn.fd);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        service->first = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    service->clients--;
    sel_unregister(service->sel, client->conn.fd);
    connection_close(&client->conn);
    free(client);
}

static void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    echo_client *client = key->data;
    connection *conn = &client->conn;
    const echo_service *service = conn->server;
    meter_turn(service->meter);
    ssize_t result = connection_wants_write(conn) ? 0 : connection_receive(conn);
    if (result >= 0)
        result = connection_send(conn);
    meter_sent(service->meter, result);
    int events = connection_wants_write(conn) ? SEL_EVENT_WRITE : SEL_EVENT_READ;
    if (result >= 0)
        result = sel_modify(sel, conn->fd, events, client_cb, client);
    if (result < 0 || conn->ended)
        hang_up(client);
}

static void add_client(void *data, int fd)
{
    echo_service *service = data;
    echo_client *client = calloc(1, sizeof *client);
    int error = client == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = sel_register(service->sel, fd, SEL_EVENT_READ, client_cb, client);
    if (error < 0) {
        note(service->verbose, "%d: echo: turned away: %s", fd, sel_strerror(error));
        free(client);
        close(fd);
        return;
    }
    client->conn = (connection){.fd = fd, .server = service};
    client->next = service->first;
    if (service->first != NULL)
        service->first->previous = client;
    service->first = client;
    service->clients++;
    note(service->verbose, "%d: echo: accepted", fd);
}

static void begin_turn(void *data)
{
    const echo_service *service = data;
    meter_turn(service->meter);
}

int echo_start(echo_service *service)
{
    service->acceptor = (acceptor){.sel = service->sel,
                                   .listener = service->listener,
                                   .before = begin_turn,
                                   .add_client = add_client,
                                   .data = service};
    return acceptor_start(&service->acceptor);
}

void echo_stop(echo_service *service)
{
    while (service->first != NULL)
        hang_up(service->first);
    acceptor_stop(&service->acceptor);
}
