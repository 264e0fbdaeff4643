/* SPDX-License-Identifier: MIT */
/*
 * The requests to the manager process (demo/lessons/18_manager.c): any bytes from a client, every
 * answer a line; and a client that does not read is queued for within a bound.
 *
 * The source itself is included, for all that reads a request in it is static, and it
 * runs in a process of its own, where a fuzzer would not see it.
 */
#include "lessons/18_manager.c"

#include "fuzz.h"

enum {
    PIECE = 64,
    ANSWERS = 64 * 1024,
    /* One read may hold so many lines "list" more. */
    QUEUED_MAX = HIGH_WATER + LINE_LIMIT / 5 * ANSWER_SIZE,
    BUFFER = 4096, /* the kernel's, to be full soon */
};

static storage store;

/* Every answer is whole, and there is one for each line. */
static size_t read_answers(int fd)
{
    static char bytes[ANSWERS];
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    size_t lines = 0;

    for (ssize_t i = 0; i < size; i++)
        lines += bytes[i] == '\n';
    if (size > 0 && bytes[size - 1] != '\n')
        broken("half an answer");
    return lines;
}

static void check_store(void)
{
    if (store.pairs < 0 || store.pairs > PAIRS_MAX || store.items < 0 ||
        store.items > LIST_MAX)
        broken("%d pairs, %d items", store.pairs, store.items);
    for (int i = 0; i < store.pairs; i++)
        if (memchr(store.dict[i].key, '\0', KEY_SIZE) == NULL)
            broken("a key without an end");
}

static void pass(sel_selector *sel)
{
    sel_select(sel, 0, NULL);
    sel_dispatch(sel);
}

static void send_requests(sel_selector *sel, int fd, fuzz_input *input)
{
    while (bytes_left(input) > 0) {
        size_t size = bytes_left(input) < PIECE ? bytes_left(input) : PIECE, lines = 0;

        for (size_t i = 0; i < size; i++)
            lines += input->next[i] == '\n';
        if (send(fd, input->next, size, MSG_NOSIGNAL) != (ssize_t)size)
            broken("the manager has hung up");
        pass(sel);
        if (read_answers(fd) != lines)
            broken("not one answer for each of %zu lines", lines);
        check_store();
        input->next += size;
    }
}

/* Ask and don't read, as long as anything is taken; the manager must not wait. */
static void send_and_never_read(sel_selector *sel, const manager_client *client, int fd,
                                fuzz_input *input)
{
    while (bytes_left(input) > 0) {
        ssize_t sent = send(fd, input->next, bytes_left(input), MSG_NOSIGNAL);

        if (sent > 0)
            input->next += sent;
        for (int i = 0; i < 64; i++)
            pass(sel);
        if (client->queue.size > QUEUED_MAX)
            broken("%zu bytes are queued", client->queue.size);
        check_store();
        if (sent < 0)
            return;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    warm_up();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const int buffer = BUFFER;
    fuzz_input input = {bytes, bytes + size};
    int ends[2], descriptors = count_descriptors();
    sel_selector *sel = NULL;
    sel_key key;

    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
    if (sel_open(SEL_BACKEND_EPOLL, &sel) < 0)
        broken("no selector");
    store = (storage){.acceptor.sel = sel};
    add_client(&store, ends[0]);
    if (sel_get_key(sel, ends[0], &key) < 0)
        broken("no client");
    if (size > 0 && bytes[size - 1] == '!') {
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        send_and_never_read(sel, key.data, ends[1], &input);
    } else {
        send_requests(sel, ends[1], &input);
    }
    close(ends[1]);
    for (int i = 0; i < 64 && sel_get_map(sel, NULL, 0) > 0; i++)
        pass(sel);
    sel_close(sel);
    check_descriptors(descriptors);
    return 0;
}
