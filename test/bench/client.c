/* SPDX-License-Identifier: MIT */
/*
 * The other end of every echo server that is measured.
 *
 *   bench_client PORT CONNECTIONS [SIZE]
 *
 * opens the connections, prints `ready`, and then does what each line of its
 * standard input says:
 *
 *   echo N   N round trips, one message on each connection at a time: all are
 *            sent, then all are read
 *   churn N  N times: connect, one round trip, close
 *   ping N   N round trips one after the other, each on another connection
 *
 * It answers with a JSON object: how long that took and its own CPU time, in
 * nanoseconds, and after `ping` what share of the trips took no longer than so
 * many.  Every byte that comes back is compared.
 */
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST = 4096, WAIT_MS = 60000, EVENTS = 1024 };

static struct {
    struct sockaddr_in address;
    int *fds;
    int count;
    int set;
    size_t size;
    unsigned round;
} client;

static int open_connection(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&client.address, sizeof client.address) < 0)
        fail("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void make_message(char *message, int index)
{
    for (size_t i = 0; i < client.size; i++)
        message[i] = (char)(client.round * 31 + (unsigned)index * 7 + i);
}

static void send_message(int fd, int index)
{
    char message[LONGEST];

    make_message(message, index);
    if (send(fd, message, client.size, MSG_NOSIGNAL) != (ssize_t)client.size)
        fail("send: %s", strerror(errno));
}

static void receive_message(int fd, int index)
{
    char wanted[LONGEST], got[LONGEST];

    if (recv(fd, got, client.size, MSG_WAITALL) != (ssize_t)client.size)
        fail("recv: %s", strerror(errno));
    make_message(wanted, index);
    if (memcmp(wanted, got, client.size) != 0)
        fail("another answer came back than was sent");
}

static void open_connections(void)
{
    client.set = epoll_create1(EPOLL_CLOEXEC);
    client.fds = allocate((size_t)client.count, sizeof *client.fds);
    raise_descriptor_limit(client.count);
    for (int i = 0; i < client.count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

        client.fds[i] = open_connection();
        if (epoll_ctl(client.set, EPOLL_CTL_ADD, client.fds[i], &event) < 0)
            fail("epoll_ctl: %s", strerror(errno));
        send_message(client.fds[i], i); /* the server has it when this comes back */
        receive_message(client.fds[i], i);
    }
}

static void receive_all(int waiting)
{
    struct epoll_event events[EVENTS];

    while (waiting > 0) {
        int ready = epoll_wait(client.set, events, EVENTS, WAIT_MS);

        if (ready <= 0)
            fail("no answer within %d ms", WAIT_MS);
        for (int i = 0; i < ready; i++) {
            int index = (int)events[i].data.u32;

            receive_message(client.fds[index], index);
        }
        waiting -= ready;
    }
}

static void echo(int trips)
{
    while (trips > 0) {
        int wave = trips < client.count ? trips : client.count;

        client.round++;
        for (int i = 0; i < wave; i++)
            send_message(client.fds[i], i);
        receive_all(wave);
        trips -= wave;
    }
}

/* A reset leaves no port waiting: a million of them would. */
static void churn(int trips)
{
    struct linger at_once = {.l_onoff = 1};

    for (int i = 0; i < trips; i++) {
        int fd = open_connection();

        client.round++;
        send_message(fd, i);
        receive_message(fd, i);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
}

static void print_percentiles(double *took, int trips)
{
    sort_doubles(took, trips);
    printf("{\"trips\": %d, \"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, "
           "\"p99.9\": %.0f}\n", trips, quantile(took, trips, 0.5),
           quantile(took, trips, 0.9), quantile(took, trips, 0.99),
           quantile(took, trips, 0.999));
    fflush(stdout);
}

static void ping(int trips)
{
    double *took = allocate((size_t)trips, sizeof *took);

    for (int i = 0; i < trips; i++) {
        int index = (int)((unsigned)i * 7919U % (unsigned)client.count);
        int64_t start = wall_ns();

        client.round++;
        send_message(client.fds[index], index);
        receive_message(client.fds[index], index);
        took[i] = (double)(wall_ns() - start);
    }
    print_percentiles(took, trips);
    free(took);
}

static void obey(const char *order)
{
    int64_t start = wall_ns(), cpu = cpu_ns();
    char work[8];
    int trips;

    if (sscanf(order, "%7s %d", work, &trips) != 2 || trips < 1)
        fail("what is: %s", order);
    if (strcmp(work, "ping") == 0 && client.count > 0) {
        ping(trips);
        return;
    }
    if (strcmp(work, "echo") == 0 && client.count > 0)
        echo(trips);
    else if (strcmp(work, "churn") == 0)
        churn(trips);
    else
        fail("what is: %s", order);
    printf("{\"trips\": %d, \"wall\": %lld, \"cpu\": %lld}\n", trips,
           (long long)(wall_ns() - start), (long long)(cpu_ns() - cpu));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char order[64];

    if (argc != 3 && argc != 4)
        fail("usage: bench_client PORT CONNECTIONS [SIZE]");
    client.address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)parse_count(argv[1], 1)),
    };
    client.count = parse_count(argv[2], 0);
    client.size = argc == 4 ? (size_t)parse_count(argv[3], 1) : 64;
    if (client.size > LONGEST)
        fail("a message has %d bytes at most", LONGEST);
    open_connections();
    puts("ready");
    fflush(stdout);
    while (fgets(order, sizeof order, stdin) != NULL)
        obey(order);
    return EXIT_SUCCESS;
}
