/* SPDX-License-Identifier: MIT */
/*
 * The requests to the manager process (demo/manager.c): any bytes from a client, every
 * answer a line.
 *
 * The source itself is included, for all that reads a request in it is static, and it
 * runs in a process of its own, where a fuzzer would not see it.
 */
#include "../../demo/manager.c"

#include "fuzz.h"

enum { PIECE = 64, ANSWERS = 64 * 1024 };

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

static void send_requests(sel_selector *sel, int fd, fuzz_input *input)
{
    while (bytes_left(input) > 0) {
        size_t size = bytes_left(input) < PIECE ? bytes_left(input) : PIECE, lines = 0;

        for (size_t i = 0; i < size; i++)
            lines += input->next[i] == '\n';
        if (send_all(fd, input->next, size) < 0)
            broken("the manager has hung up");
        sel_select(sel, 0, NULL);
        sel_dispatch(sel);
        if (read_answers(fd) != lines)
            broken("not one answer for each of %zu lines", lines);
        check_store();
        input->next += size;
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
    fuzz_input input = {bytes, bytes + size};
    int ends[2], descriptors = count_descriptors();
    manager_client *client = calloc(1, sizeof *client);
    sel_selector *sel = NULL;

    store = (storage){.listener = -1};
    open_pair(ends);
    if (client == NULL || sel_open(SEL_BACKEND_EPOLL, &sel) < 0 ||
        sel_register(sel, ends[0], SEL_EVENT_READ, request_cb, client) < 0)
        broken("no client");
    *client = (manager_client){.storage = &store, .line = {.limit = LINE_LIMIT}};
    send_requests(sel, ends[1], &input);
    close(ends[1]);
    sel_select(sel, 0, NULL);
    sel_dispatch(sel);
    sel_close(sel);
    check_descriptors(descriptors);
    return 0;
}
