/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing.Manager: a dict and a list behind a socket.
 *
 * Dict and list never grow beyond their arrays; a request that does not fit or is not
 * understood is answered "no".  Answers that a client's socket does not take are
 * queued, and while HIGH_WATER bytes are queued its requests are not read: one that
 * asks and never reads delays nobody else.
 */
#include "lessons/18_manager.h"
#include "chat/chat_text.h"
#include "kit/acceptor.h"
#include "kit/bytearray.h"
#include "kit/check.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/nonblocking.h"
#include "kit/process.h"

#include <selkie.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEY_SIZE = 16,
    PAIRS_MAX = 64,
    LIST_MAX = 64,
    LINE_LIMIT = 100,
    WORDS_MAX = 4, /* one more than any request has */
    DIGITS_MAX = 10,
    ANSWER_SIZE = 2048,
    HIGH_WATER = 16 * 1024,
};

typedef struct {
    struct {
        char key[KEY_SIZE];
        int value;
    } dict[PAIRS_MAX];
    int list[LIST_MAX];
    int pairs, items;
    acceptor acceptor;
} storage;

typedef struct {
    storage *storage;
    chat_line line;
    bool ended; /* it has sent its last byte */
    bytearray queue;
} manager_client;

/* The value of a key, created if it is new; NULL: no room. */
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

/* The whole text must be a number. */
static bool read_number(const char *text, int *ret_number)
{
    size_t sign = text[0] == '-' ? 1 : 0;
    size_t digits = strspn(text + sign, "0123456789");
    if (digits < 1 || digits > DIGITS_MAX || text[sign + digits] != '\0')
        return false;
    long long number = strtoll(text, NULL, 10);
    *ret_number = (int)number;
    return number >= INT_MIN && number <= INT_MAX;
}

static bool is_key(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return size > 0 && size < KEY_SIZE;
}

static bool append(storage *store, const char *text)
{
    return store->items < LIST_MAX && read_number(text, &store->list[store->items]) &&
           ++store->items;
}

static bool set(storage *store, const char *key, const char *text, bool adds)
{
    int number, *value = NULL;
    if (!is_key(key) || !read_number(text, &number) || (value = find(store, key)) == NULL)
        return false;
    if (adds)
        return add(value, number);
    *value = number;
    return true;
}

/* Words separated by single spaces, as in Python's split(" "). */
static int split(char *request, char *words[WORDS_MAX])
{
    int count = 0;
    while (count < WORDS_MAX && (words[count] = strsep(&request, " ")) != NULL)
        count++;
    return count;
}

static void carry_out(storage *store, char *request, FILE *answer)
{
    char *words[WORDS_MAX];
    int count = split(request, words);
    const char *verb = words[0];
    bool done = false;
    if (count == 1 && strcmp(verb, "dict") == 0) {
        print_dict(store, answer);
        return;
    }
    if (count == 1 && strcmp(verb, "list") == 0) {
        print_list(store, answer);
        return;
    }
    if (count == 2 && strcmp(verb, "append") == 0)
        done = append(store, words[1]);
    if (count == 3 && (strcmp(verb, "set") == 0 || strcmp(verb, "add") == 0))
        done = set(store, words[1], words[2], verb[0] == 'a');
    fputs(done ? "ok\n" : "no\n", answer);
}

/* Returns 0 or a negative errno. */
static int answer_request(manager_client *client)
{
    char request[LINE_LIMIT + 1] = "", bytes[ANSWER_SIZE] = "";
    const bytearray *text = &client->line.text;
    if (text->size > 0 && memchr(bytearray_bytes(text), '\0', text->size) == NULL)
        memcpy(request, bytearray_bytes(text), text->size);
    FILE *answer = fmemopen(bytes, sizeof bytes, "w");
    if (answer == NULL)
        return -errno;
    carry_out(client->storage, request, answer);
    fclose(answer);
    line_clear(&client->line);
    return bytearray_extend(&client->queue, bytes, strlen(bytes));
}

/* Returns 0 or a negative errno. */
static int receive(manager_client *client, int fd)
{
    char bytes[LINE_LIMIT];
    ssize_t size = receive_now(fd, bytes, sizeof bytes, &client->ended);
    int error = size < 0 ? (int)size : 0;
    for (size_t taken = 0; error == 0 && taken < (size_t)size;) {
        bool complete;
        taken += line_take(&client->line, bytes + taken, (size_t)size - taken, &complete);
        if (complete)
            error = answer_request(client);
    }
    return error;
}

static void hang_up(sel_selector *sel, manager_client *client, int fd)
{
    sel_unregister(sel, fd);
    close(fd);
    line_clear(&client->line);
    bytearray_clear(&client->queue);
    free(client);
}

static void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    manager_client *client = key->data;
    int fd = key->fd, events = 0;
    ssize_t result = mask & SEL_EVENT_READ ? receive(client, fd) : 0;
    if (result >= 0)
        result = send_now(fd, &client->queue);
    if (!client->ended && client->queue.size < HIGH_WATER)
        events |= SEL_EVENT_READ;
    if (client->queue.size > 0)
        events |= SEL_EVENT_WRITE;
    if (result >= 0 && events != 0)
        result = sel_modify(sel, fd, events, client_cb, client);
    if (result < 0 || events == 0)
        hang_up(sel, client, fd);
}

static void add_client(void *data, int fd)
{
    storage *store = data;
    sel_selector *sel = store->acceptor.sel;
    manager_client *added = calloc(1, sizeof *added);
    if (added == NULL || sel_register(sel, fd, SEL_EVENT_READ, client_cb, added) < 0) {
        close(fd);
        free(added);
        return;
    }
    *added = (manager_client){.storage = store, .line = {.limit = LINE_LIMIT}};
}

static _Noreturn void run_manager(int listener, int life)
{
    static storage store;
    sel_selector *sel = NULL;
    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    store.acceptor = (acceptor){
        .sel = sel, .listener = listener, .add_client = add_client, .data = &store};
    check(acceptor_start(&store.acceptor), "listen");
    end_with_parent(sel, life);
    check(sel_run(sel), "wait");
    _exit(EXIT_SUCCESS);
}

manager start_manager(void)
{
    manager made = {.address = {.sun_family = AF_UNIX}, .size = sizeof made.address};
    struct sockaddr *address = (struct sockaddr *)&made.address;
    int ends[2];
    open_pair(SOCK_STREAM, ends);
    /* An address that is only a family: the kernel chooses a name that is no file. */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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
