/* SPDX-License-Identifier: MIT */
/*
 * Two libraries in one process, each with its own selector or both on one.  One closes
 * its socket and forgets to unregister it; the other's connect gets the number.
 *
 *   sel_register    a key whose number is another file by now is gone: the new key
 *                   takes its place, and the old one's pair in the batch is dead
 *   sel_add_reader  a number whose file was closed or replaced is simply taken
 *   sel_unregister  a descriptor that was closed while registered is not reported,
 *                   disturbs no other and makes no wait spin
 *   sel_select      level-triggered; a refused connect sets every watched bit; never
 *                   early
 *
 * One of the two may have readers and writers for its connections, the other keys.
 * So each library gets its own events and none of the other's, and both can end.
 */
#include "stranger.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 40 };

/* One library: it listens, connects to itself and echoes a byte at each step. */
struct library {
    sel_selector *sel;
    int listener, client, server; /* -1: none */
    struct sockaddr_in address;
    bool has_readers;
    int accepted, connected, received, forgotten;
};

static void read_server(sel_selector *sel, void *data)
{
    struct library *library = data;
    char byte;
    (void)sel;
    if (recv(library->server, &byte, 1, 0) == 1)
        library->received++;
}

static void on_server(sel_selector *sel, const sel_key *key, int mask)
{
    struct library *library = key->data;
    (void)mask;
    CHECK_IS(key->fd, library->server);
    read_server(sel, library);
}

static int watch_server(struct library *library)
{
    if (library->has_readers)
        return sel_add_reader(library->sel, library->server, read_server, library);
    return sel_register(library->sel, library->server, SEL_EVENT_READ, on_server,
                        library);
}

static void on_listener(sel_selector *sel, const sel_key *key, int mask)
{
    struct library *library = key->data;
    CHECK_IS(key->fd, library->listener);
    CHECK_IS(mask, SEL_EVENT_READ);
    int server = accept4(key->fd, NULL, NULL, SOCK_NONBLOCK);
    CHECK(server >= 0);
    CHECK_IS(library->server, -1);
    library->server = server;
    library->accepted++;
    CHECK(library->sel == sel);
    CHECK_IS(watch_server(library), 0);
}

static void on_client(sel_selector *sel, const sel_key *key, int mask)
{
    struct library *library = key->data;
    CHECK_IS(key->fd, library->client);
    CHECK_IS(mask, SEL_EVENT_WRITE);
    library->connected++;
    CHECK_IS(sel_modify(sel, key->fd, 0, on_client, library), 0);
}

static void write_client(sel_selector *sel, void *data)
{
    struct library *library = data;
    library->connected++;
    CHECK_IS(sel_remove_writer(sel, library->client), 0);
}

static int watch_client(struct library *library)
{
    if (library->has_readers)
        return sel_add_writer(library->sel, library->client, write_client, library);
    return sel_register(library->sel, library->client, SEL_EVENT_WRITE, on_client,
                        library);
}

/* A client with a writer is not watched any more. */
static int unwatch(struct library *library, int fd)
{
    if (library->has_readers && fd == library->client)
        return sel_unregister(library->sel, fd) == -ENOENT ? 0 : -EEXIST;
    return sel_unregister(library->sel, fd);
}

/* The number of a forgotten descriptor may come back at once, here or there. */
static void forget(struct library *library, int *fd)
{
    if (*fd < 0)
        return;
    if (pick(3) == 0)
        CHECK_IS(unwatch(library, *fd), 0);
    else
        library->forgotten++;
    CHECK_IS(close(*fd), 0);
    *fd = -1;
}

static void connect_client(struct library *library)
{
    if (library->client >= 0 || library->server >= 0)
        return;
    library->client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(library->client >= 0);
    int status = connect(library->client, (const struct sockaddr *)&library->address,
                         sizeof library->address);
    CHECK(status == 0 || errno == EINPROGRESS);
    CHECK_IS(watch_client(library), 0);
}

static void open_library(struct library *library, sel_selector *sel, bool has_readers)
{
    socklen_t size = sizeof library->address;
    *library = (struct library){
        .sel = sel, .client = -1, .server = -1, .has_readers = has_readers};
    library->address.sin_family = AF_INET;
    library->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    library->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_IS(bind(library->listener, (struct sockaddr *)&library->address, size), 0);
    CHECK_IS(listen(library->listener, 10), 0);
    CHECK_IS(getsockname(library->listener, (struct sockaddr *)&library->address, &size),
             0);
    CHECK_IS(sel_register(sel, library->listener, SEL_EVENT_READ, on_listener, library),
             0);
}

static void pass(struct library *library)
{
    CHECK(sel_select(library->sel, 0, NULL) >= 0);
    CHECK(sel_dispatch(library->sel) >= 0);
}

/* Loopback is quick but not at once: passes until the count is there, or for long. */
static void pass_until(struct library *library, const int *count, int wanted)
{
    double end = sel_time(library->sel) + 20;
    while (*count < wanted) {
        CHECK(sel_time(library->sel) < end);
        CHECK(sel_select(library->sel, 1, NULL) >= 0);
        CHECK(sel_dispatch(library->sel) >= 0);
    }
    CHECK_IS(*count, wanted);
}

static void use(struct library *library)
{
    int accepted = library->accepted, connected = library->connected;
    int received = library->received, had_client = library->client >= 0;
    connect_client(library);
    if (!had_client && library->client >= 0) {
        pass_until(library, &library->connected, connected + 1);
        pass_until(library, &library->accepted, accepted + 1);
    }
    if (library->client >= 0 && library->server >= 0) {
        CHECK_IS(send(library->client, "", 1, MSG_NOSIGNAL), 1);
        pass_until(library, &library->received, received + 1);
    }
}

/* Nothing that was forgotten ends a wait or keeps one busy. */
static void check_quiet(struct library *library)
{
    const sel_ready *ready;
    sel_stats before, after;
    double start = sel_time(library->sel);
    CHECK_IS(sel_get_stats(library->sel, &before, sizeof before), 0);
    CHECK_IS(sel_select(library->sel, 0.01, &ready), 0);
    CHECK(sel_time(library->sel) >= start + 0.01);
    CHECK_IS(sel_get_stats(library->sel, &after, sizeof after), 0);
    CHECK_IS(after.passes, before.passes + 1);
}

static void two_libraries(sel_backend backend)
{
    struct library libraries[2];
    sel_selector *one, *other;
    CHECK_IS(sel_open(backend, &one), 0);
    CHECK_IS(sel_open(pick_backend(), &other), 0);
    bool is_shared = pick(3) == 0;
    open_library(&libraries[0], one, false);
    open_library(&libraries[1], is_shared ? one : other, pick(2) == 0);

    for (int i = 0; i < STEPS; i++) {
        struct library *library = &libraries[pick(2)], *next = &libraries[pick(2)];
        if (pick(2) == 0)
            pass(&libraries[pick(2)]);
        forget(library, &library->client);
        if (pick(2) == 0)
            pass(&libraries[pick(2)]); /* it finds out before the number comes back */
        forget(library, &library->server);
        use(next);
        if (pick(4) == 0)
            check_quiet(next);
    }
    for (int i = 0; i < 2; i++) {
        forget(&libraries[i], &libraries[i].client);
        forget(&libraries[i], &libraries[i].server);
        CHECK_IS(close(libraries[i].listener), 0);
    }
    CHECK_IS(sel_close(one), 0);
    CHECK_IS(sel_close(other), 0);
}

int main(int argc, char **argv)
{
    stranger_warm_up();
    return stranger_main(argc, argv, 3, two_libraries);
}
