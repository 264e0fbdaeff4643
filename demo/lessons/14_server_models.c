/* SPDX-License-Identifier: MIT */
/*
 * The same echo in three server models: a process for each client, a thread for each
 * client, one event loop for all.
 *
 * In all three, one reactor watches the listener; they differ in who serves a client.
 * --measure starts each model in a process of its own and talks to it; with few
 * clients, threads may well win. docs/twins/server_models.py is the same program in
 * Python.
 */
#include "kit/acceptor.h"
#include "kit/blocking.h"
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/connection.h"
#include "kit/process.h"
#include "kit/stop.h"
#include "lessons/14_measure.h"

#include <selkie.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1000 };
static const char *const names[MODELS] = {"fork", "thread", "loop"};

typedef struct {
    connection conn;
    pid_t pid;        /* of its process */
    pthread_t thread; /* of its thread */
    atomic_bool done; /* its thread has finished */
} served_client;

typedef struct {
    sel_selector *sel;
    server_model model;
    acceptor acceptor;
    served_client *clients[CLIENTS_MAX];
    int count;
} model_server;

/* What a process or a thread does for its client: wait for bytes, send them back. */
static void serve_one(int fd)
{
    char bytes[READ_SIZE];
    ssize_t size;
    while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0 || (size < 0 && errno == EINTR))
        if (size > 0 && send_all(fd, bytes, (size_t)size) < 0)
            break;
}

static void forget(model_server *server, served_client *client)
{
    int i = 0;
    while (server->clients[i] != client)
        i++;
    server->clients[i] = server->clients[--server->count];
    connection_close(&client->conn);
    free(client);
}

static void start_process(model_server *server, served_client *client)
{
    client->pid = fork_child();
    if (client->pid > 0)
        return;
    close(server->acceptor.listener);
    for (int i = 0; i < server->count; i++) /* else they would never see their end */
        if (server->clients[i] != client)
            close(server->clients[i]->conn.fd);
    serve_one(client->conn.fd);
    _exit(EXIT_SUCCESS);
}

/* SIGCHLD */
static void reap(sel_selector *sel, void *data)
{
    (void)sel;
    model_server *server = data;
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        for (int i = 0; i < server->count; i++)
            if (server->clients[i]->pid == pid) {
                forget(server, server->clients[i]);
                break;
            }
}

static void *serve_in_thread(void *data)
{
    served_client *client = data;
    serve_one(client->conn.fd);
    shutdown(client->conn.fd, SHUT_RDWR);
    atomic_store(&client->done, true);
    return NULL;
}

/* Joins threads that have finished, when the next client comes. */
static void join_done(void *data)
{
    model_server *server = data;
    for (int i = server->count - 1; i >= 0; i--)
        if (atomic_load(&server->clients[i]->done)) {
            pthread_join(server->clients[i]->thread, NULL);
            forget(server, server->clients[i]);
        }
}

static void start_thread(model_server *server, served_client *client)
{
    sigset_t all, before; /* signals are for the thread with the loop */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&client->thread, NULL, serve_in_thread, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        forget(server, client);
}

static void hang_up(model_server *server, served_client *client)
{
    sel_unregister(server->sel, client->conn.fd);
    forget(server, client);
}

static void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    served_client *client = key->data;
    connection *conn = &client->conn;
    ssize_t result = mask & SEL_EVENT_READ ? connection_receive(conn) : 0;
    if (result >= 0)
        result = connection_send(conn);
    int events = connection_wants_read(conn) ? SEL_EVENT_READ : 0;
    events |= connection_wants_write(conn) ? SEL_EVENT_WRITE : 0;
    if (result >= 0 && events != 0)
        result = sel_modify(sel, conn->fd, events, client_cb, client);
    if (result < 0 || events == 0)
        hang_up(conn->server, client);
}

static void add_client(void *data, int fd)
{
    model_server *server = data;
    served_client *client = calloc(1, sizeof *client);
    if (client == NULL || server->count == CLIENTS_MAX) {
        close(fd);
        free(client);
        return;
    }
    client->conn = (connection){.fd = fd, .server = server};
    server->clients[server->count++] = client;
    if (server->model != MODEL_LOOP)
        set_blocking(fd);
    if (server->model == MODEL_FORK)
        start_process(server, client);
    else if (server->model == MODEL_THREAD)
        start_thread(server, client);
    else if (sel_register(server->sel, fd, SEL_EVENT_READ, client_cb, client) < 0)
        forget(server, client);
}

/* Ends what serves a client, and waits for it. */
static void end_client(model_server *server, served_client *client)
{
    if (server->model == MODEL_FORK) {
        kill(client->pid, SIGTERM);
        waitpid(client->pid, NULL, 0);
    } else if (server->model == MODEL_THREAD) {
        shutdown(client->conn.fd, SHUT_RDWR); /* its recv() returns */
        pthread_join(client->thread, NULL);
    } else {
        sel_unregister(server->sel, client->conn.fd);
    }
    forget(server, client);
}

/* Serve until SIGINT, SIGTERM, or the end of `life` (-1: none). */
static void serve_model(server_model model, int listener, int life)
{
    model_server server = {.model = model};
    check(sel_open(SEL_BACKEND_DEFAULT, &server.sel), "open a selector");
    sel_selector *sel = server.sel;
    server.acceptor = (acceptor){.sel = sel,
                                 .listener = listener,
                                 .before = join_done,
                                 .add_client = add_client,
                                 .data = &server};
    check(acceptor_start(&server.acceptor), "wait");
    check(sel_add_signal_handler(sel, SIGINT, stop_loop, NULL), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, stop_loop, NULL), "watch SIGTERM");
    if (model == MODEL_FORK)
        check(sel_add_signal_handler(sel, SIGCHLD, reap, &server), "watch SIGCHLD");
    if (life >= 0)
        end_with_parent(sel, life);
    else
        print_listening(listener);

    check(sel_run(sel), "wait");

    while (server.count > 0)
        end_client(&server, server.clients[0]);
    acceptor_stop(&server.acceptor);
    sel_close(sel);
}

static server_model find_model(const char *name)
{
    int model = 0;
    while (model < MODELS && strcmp(names[model], name) != 0)
        model++;
    if (model == MODELS)
        fail(EXIT_USAGE, "--model must be fork, thread or loop, not '%s'", name);
    return (server_model)model;
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1", *model = "loop";
    char service[sizeof "65535"];
    int port = 1234;
    bool measure = false;
    const command_option options[] = {
        {"model", 'm', "MODEL", "fork, thread or loop (loop)", .text = &model},
        {"measure", 'M', NULL, "measure all three instead of serving", .flag = &measure},
        {"host", 'H', "HOST", "the name or address to listen on (127.0.0.1)",
         .text = &host},
        {"port", 'p', "PORT", "the port; 0 picks a free one (1234)", .number = &port,
         .lowest = 0, .highest = 65535},
        {0}};
    read_command_line(argc, argv, "The same echo in three server models.", options);
    snprintf(service, sizeof service, "%d", measure ? 0 : port & 0xffff);
    server_options where = {.host = host, .port = service, .backlog = 4096};
    server_model chosen = find_model(model);
    if (measure) {
        measure_models(&where, names, serve_model);
        return EXIT_SUCCESS;
    }
    serve_model(chosen, open_listener(&where), -1);
    return EXIT_SUCCESS;
}
