/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing.Manager: a dict and a list behind a socket.
 *
 * Dict and list never hold more than their arrays; a request that does not fit or is
 * not understood is answered with "no".
 */
#include "manager.h"
#include "blocking.h"
#include "chat_text.h"
#include "check.h"
#include "fail.h"
#include "process.h"

#include <selkie.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEY_SIZE = 16, PAIRS_MAX = 64, LIST_MAX = 64, LINE_LIMIT = 100, ANSWER_SIZE = 2048,
};

typedef struct {
    struct {
        char key[KEY_SIZE];
        int value;
    } dict[PAIRS_MAX];
    int list[LIST_MAX];
    int pairs, items;
    int listener;
} storage;

typedef struct {
    storage *storage;
    chat_line line;
} manager_client;

/* The value of a key, made if it is new; NULL: no room. */
static int *find(storage *store, const char *key)
{
    int i = 0;
    while (i < store->pairs && strcmp(store->dict[i].key, key) != 0)
        i++;
    if (i == PAIRS_MAX)
        return NULL;
    if (i == store->pairs) {
        store->pairs++;
        snprintf(store->dict[i].key, KEY_SIZE, "%s", key);
        store->dict[i].value = 0;
    }
    return &store->dict[i].value;
}

static void print_dict(const storage *store, FILE *answer)
{
    fputc('{', answer);
    for (int i = 0; i < store->pairs; i++)
        fprintf(answer, "%s%s: %d", i > 0 ? ", " : "", store->dict[i].key,
                store->dict[i].value);
    fputs("}\n", answer);
}

static void print_list(const storage *store, FILE *answer)
{
    fputc('[', answer);
    for (int i = 0; i < store->items; i++)
        fprintf(answer, "%s%d", i > 0 ? ", " : "", store->list[i]);
    fputs("]\n", answer);
}

static bool add(int *value, int number)
{
    long long sum = (long long)*value + number;
    if (sum < INT_MIN || sum > INT_MAX)
        return false;
    *value = (int)sum;
    return true;
}

static void carry_out(storage *store, const char *request, FILE *answer)
{
    char key[KEY_SIZE];
    int number, *value = NULL;
    if (strcmp(request, "dict") == 0) {
        print_dict(store, answer);
    } else if (strcmp(request, "list") == 0) {
        print_list(store, answer);
    } else if (sscanf(request, "append %d", &number) == 1 && store->items < LIST_MAX) {
        store->list[store->items++] = number;
        fputs("ok\n", answer);
    } else if (sscanf(request, "set %15s %d", key, &number) == 2 &&
               (value = find(store, key)) != NULL) {
        *value = number;
        fputs("ok\n", answer);
    } else if (sscanf(request, "add %15s %d", key, &number) == 2 &&
               (value = find(store, key)) != NULL && add(value, number)) {
        fputs("ok\n", answer);
    } else {
        fputs("no\n", answer);
    }
}

static void answer_request(manager_client *client, int fd)
{
    char request[LINE_LIMIT + 1] = "", bytes[ANSWER_SIZE] = "";
    const bytearray *text = &client->line.text;
    if (text->size > 0)
        memcpy(request, bytearray_bytes(text), text->size);
    FILE *answer = fmemopen(bytes, sizeof bytes, "w");
    if (answer != NULL) {
        carry_out(client->storage, request, answer);
        fclose(answer);
    }
    send_all(fd, bytes, strlen(bytes)); /* one answer at a time fits into a socket */
    line_clear(&client->line);
}

static void hang_up(sel_selector *sel, manager_client *client, int fd)
{
    sel_unregister(sel, fd);
    close(fd);
    line_clear(&client->line);
    free(client);
}

static void request_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    manager_client *client = key->data;
    char bytes[LINE_LIMIT];
    ssize_t size = recv(key->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    for (size_t taken = 0; size > 0 && taken < (size_t)size;) {
        bool complete;
        taken += line_take(&client->line, bytes + taken, (size_t)size - taken, &complete);
        if (complete)
            answer_request(client, key->fd);
    }
    if (size <= 0)
        hang_up(sel, client, key->fd);
}

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    int fd = accept4(key->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    manager_client *added = calloc(1, sizeof *added);
    if (added == NULL || sel_register(sel, fd, SEL_EVENT_READ, request_cb, added) < 0) {
        close(fd);
        free(added);
        return;
    }
    *added = (manager_client){.storage = key->data, .line = {.limit = LINE_LIMIT}};
}

static void life_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)key;
    (void)mask;
    sel_stop(sel);
}

static _Noreturn void run_manager(int listener, int life)
{
    static storage store;
    sel_selector *sel = NULL;
    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    check(sel_register(sel, listener, SEL_EVENT_READ, accept_cb, &store), "listen");
    check(sel_register(sel, life, SEL_EVENT_READ, life_cb, NULL), "watch the parent");
    check(sel_run(sel), "wait");
    _exit(EXIT_SUCCESS);
}

manager start_manager(void)
{
    manager made = {.address = {.sun_family = AF_UNIX}, .size = sizeof made.address};
    struct sockaddr *address = (struct sockaddr *)&made.address;
    int ends[2];
    open_pair(ends);
    /* An address that is only a family: the kernel chooses a name that is no file. */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, address, sizeof made.address.sun_family) < 0 ||
        getsockname(listener, address, &made.size) < 0 || listen(listener, 64) < 0)
        fail(EXIT_FAILURE, "cannot listen: %s", strerror(errno));
    made.life = ends[0];
    made.pid = fork_child();
    if (made.pid == 0) {
        close(ends[0]);
        run_manager(listener, ends[1]);
    }
    close(ends[1]);
    close(listener);
    return made;
}

void stop_manager(const manager *server)
{
    close(server->life);
    waitpid(server->pid, NULL, 0);
}

int connect_to_manager(const manager *server)
{
    const struct sockaddr *address = (const struct sockaddr *)&server->address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, address, server->size) < 0)
        fail(EXIT_FAILURE, "cannot reach the manager: %s", strerror(errno));
    return fd;
}

void ask_manager(int fd, const char *request, char *ret_answer, size_t size)
{
    if (!send_line(fd, "%s", request) || !receive_line(fd, ret_answer, size))
        fail(EXIT_FAILURE, "the manager is gone");
}
