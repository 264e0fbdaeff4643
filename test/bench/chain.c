/* SPDX-License-Identifier: MIT */
/*
 * The benchmark that libevent and libev publish: PIPES socketpairs, ACTIVE of
 * them with a byte in it.  Whoever gets a byte writes one to its neighbour's
 * pipe, WRITES times in all.
 *
 *   bench_chain CONTENDER PIPES ACTIVE WRITES
 *
 * Prints the CPU time of one such run, after one that is not counted.
 */
#include "bench.h"
#include "contenders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    watcher watch;
    int next; /* the writing end of the neighbour's pipe */
} link_of_chain;

static struct {
    int to_write;
    int to_read;
} chain;

static void pass_on(int fd)
{
    if (write(fd, "", 1) != 1)
        fail("write: %s", strerror(errno));
    chain.to_write--;
}

static void on_byte(watcher *watch, int events)
{
    char byte;

    (void)events;
    if (read(watch->fd, &byte, 1) != 1)
        fail("read: %s", strerror(errno));
    chain.to_read--;
    if (chain.to_write > 0)
        pass_on(((link_of_chain *)watch)->next);
}

static link_of_chain *make_chain(const event_loop *contender, void *loop, int pipes)
{
    link_of_chain *links = allocate((size_t)pipes, sizeof *links);

    for (int i = 0; i < pipes; i++) {
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
            fail("socketpair: %s", strerror(errno));
        links[i].watch.fd = ends[0];
        links[i].watch.ready = on_byte;
        links[(i + pipes - 1) % pipes].next = ends[1];
    }
    for (int i = 0; i < pipes; i++)
        contender->add(loop, &links[i].watch, WATCH_READ);
    return links;
}

static void run(const event_loop *contender, void *loop, const link_of_chain *links,
                int pipes, int active, int writes)
{
    chain.to_write = chain.to_read = writes;
    for (int i = 0; i < active; i++)
        pass_on(links[i * (pipes / active)].next);
    while (chain.to_read > 0)
        contender->wait(loop, 1e9);
}

int main(int argc, char **argv)
{
    const event_loop *contender = argc == 5 ? find_contender(argv[1]) : NULL;
    int pipes, active, writes;
    link_of_chain *links;
    int64_t start;
    void *loop;

    if (contender == NULL)
        fail("usage: bench_chain CONTENDER PIPES ACTIVE WRITES");
    pipes = parse_count(argv[2], 2);
    active = parse_count(argv[3], 1);
    writes = parse_count(argv[4], active);
    if (active > pipes)
        fail("%d of %d pipes can't be active", active, pipes);

    raise_descriptor_limit(2 * pipes);
    loop = contender->open(2 * pipes + 40);
    if (loop == NULL)
        fail("%s can't hold %d descriptors", contender->name, pipes);
    links = make_chain(contender, loop, pipes);
    run(contender, loop, links, pipes, active, writes);
    start = cpu_ns();
    run(contender, loop, links, pipes, active, writes);
    printf("{\"cpu\": %lld}\n", (long long)(cpu_ns() - start));
    return EXIT_SUCCESS;
}
