/* SPDX-License-Identifier: MIT */
/* A client is watched for WRITE while its buffer holds something, else for READ. */
#include "monitor/echo_service.h"
#include "kit/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 16 * 1024,
    ACCEPTS_PER_PASS = 16, /* so that a rush of new clients leaves others their turn */
};

struct echo_client {
    echo_service *service;
    echo_client *next, *previous;
    int fd;
    size_t start, end; /* what is to be sent */
    char buffer[BUFFER_SIZE];
};

static void hang_up(echo_client *client)
{
    echo_service *service = client->service;
    note(service->verbose, "%d: echo: closed", client->fd);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        service->first = client->next;
    if (client->next != NULL)
        client->next->previous = client->previous;
    service->clients--;
    sel_unregister(service->sel, client->fd);
    close(client->fd);
    free(client);
}

static int result(ssize_t size)
{
    return size < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

/* Returns 0 or a negative errno. */
static int receive(echo_client *client)
{
    ssize_t size = recv(client->fd, client->buffer, BUFFER_SIZE, 0);
    if (size > 0) {
        client->start = 0;
        client->end = (size_t)size;
    }
    return size == 0 ? -ENOTCONN : result(size);
}

static int send_rest(echo_client *client)
{
    size_t rest = client->end - client->start;
    if (rest == 0)
        return 0;
    ssize_t sent =
        send(client->fd, client->buffer + client->start, rest, MSG_NOSIGNAL);
    if (sent > 0) {
        client->start += (size_t)sent;
        meter_sent(client->service->meter, (size_t)sent);
    }
    return result(sent);
}

static void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    echo_client *client = key->data;
    meter_turn(client->service->meter);
    int error = client->start == client->end ? receive(client) : 0;
    if (error == 0)
        error = send_rest(client);
    int events = client->start < client->end ? SEL_EVENT_WRITE : SEL_EVENT_READ;
    if (error == 0)
        error = sel_modify(sel, client->fd, events, client_cb, client);
    if (error < 0)
        hang_up(client);
}

static void add_client(echo_service *service, int fd)
{
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
    client->service = service;
    client->fd = fd;
    client->next = service->first;
    if (service->first != NULL)
        service->first->previous = client;
    service->first = client;
    service->clients++;
    note(service->verbose, "%d: echo: accepted", fd);
}

static sel_callback accept_cb;

static void resume_accepting(sel_selector *sel, void *data)
{
    echo_service *service = data;
    sel_modify(sel, service->listener, SEL_EVENT_READ, accept_cb, service);
}

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    echo_service *service = key->data;
    meter_turn(service->meter);
    for (int i = 0; i < ACCEPTS_PER_PASS; i++) {
        int fd = accept_client(service->listener, &service->reserve);
        if (fd >= 0) {
            add_client(service, fd);
        } else if (fd != -ECONNABORTED && fd != -EMFILE) {
            /* A listener readable but not accepted from would keep the loop spinning. */
            if (fd != -EAGAIN && sel_call_later(sel, PAUSE_SECONDS, resume_accepting,
                                                service, NULL) == 0)
                sel_modify(sel, service->listener, 0, accept_cb, service);
            return;
        }
    }
}

int echo_start(echo_service *service)
{
    service->reserve = open_reserve();
    return sel_register(service->sel, service->listener, SEL_EVENT_READ, accept_cb,
                        service);
}

void echo_stop(echo_service *service)
{
    while (service->first != NULL)
        hang_up(service->first);
    sel_unregister(service->sel, service->listener);
    close(service->listener);
    close(service->reserve);
}
