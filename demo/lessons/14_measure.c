/* SPDX-License-Identifier: MIT */
/*
 * How many messages a second each model echoes.
 *
 * Every client has one message under way at a time: one is sent for each, then each
 * echo is read.  So with one client this measures a round trip.
 */
#include "lessons/14_measure.h"
#include "kit/blocking.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/process.h"

#include <selkie.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 3, MESSAGES = 2000, MOST = 100 };
static const int counts[ROWS] = {1, 10, MOST};

static int connect_to(int listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        fail(EXIT_FAILURE, "no address: %s", strerror(errno));
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
        fail(EXIT_FAILURE, "cannot connect: %s", strerror(errno));
    return fd;
}

static void exchange(const int *fds, int count)
{
    static const char message[] = "sixteen bytes...";
    char echo[sizeof message];
    for (int i = 0; i < count; i++)
        if (send_all(fds[i], message, sizeof message) < 0)
            fail(EXIT_FAILURE, "the server hung up");
    for (int i = 0; i < count; i++)
        if (!receive_all(fds[i], echo, sizeof echo) ||
            memcmp(echo, message, sizeof echo) != 0)
            fail(EXIT_FAILURE, "a wrong echo");
}

/* Messages a second. */
static double measure(int listener, int count)
{
    int fds[MOST], rounds = MESSAGES / count;
    for (int i = 0; i < count; i++)
        fds[i] = connect_to(listener);
    exchange(fds, count); /* everyone is being served now */
    double start = sel_time(NULL);
    for (int round = 0; round < rounds; round++)
        exchange(fds, count);
    double seconds = sel_time(NULL) - start;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return rounds * count / seconds;
}

static void measure_model(server_model model, model_function *serve,
                          const server_options *where, double rates[ROWS][MODELS])
{
    int listener = open_listener(where), life[2];
    open_pair(SOCK_STREAM, life);
    pid_t pid = fork_child();
    if (pid == 0) {
        close(life[0]);
        serve(model, listener, life[1]);
        _exit(EXIT_SUCCESS);
    }
    close(life[1]);
    for (int row = 0; row < ROWS; row++)
        rates[row][model] = measure(listener, counts[row]);
    close(listener);
    close(life[0]);
    waitpid(pid, NULL, 0);
}

void measure_models(const server_options *where, const char *const names[MODELS],
                    model_function *serve)
{
    double rates[ROWS][MODELS];
    for (int model = 0; model < MODELS; model++)
        measure_model((server_model)model, serve, where, rates);
    printf("messages a second\nclients");
    for (int model = 0; model < MODELS; model++)
        printf(" %10s", names[model]);
    for (int row = 0; row < ROWS; row++) {
        printf("\n%7d", counts[row]);
        for (int model = 0; model < MODELS; model++)
            printf(" %10.0f", rates[row][model]);
    }
    puts("");
    flush_stdout();
}
