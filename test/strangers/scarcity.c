/* SPDX-License-Identifier: MIT */
/*
 * A program's calls where there is little: each allocation of the library's fails in its
 * turn, alone or with all that follow; there are few descriptors, from none on; there are
 * few threads.  Each time in a fresh process, in which the call that fails may be the
 * first of its kind, and in an order of its own.
 *
 *   errors  a call that fails says one of the errors that its declaration lists, and
 *           its outputs are untouched; the library never prints, aborts or exits
 *   keys    on failure no key is left behind, and none is lost
 *   so      once there is enough the same call works, and what was asked for is done
 *
 * Left out: memory inside libuv, which aborts where it gets none (README, "What it
 * promises").  The program is linked with the library's objects, and the wrapped calls
 * are theirs and its own.
 */
#include "stranger.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_ALLOCATIONS = 300, MOST_DESCRIPTORS = 26, MOST_THREADS = 6, ERRORS = 6 };

/* Allocations until one fails; negative: none does. */
static int allocations_left = -1;
static bool all_fail;
static int failures;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails(void)
{
    if (allocations_left < 0 || allocations_left-- > 0)
        return false;
    if (all_fail)
        allocations_left = 0;
    failures++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

/* The program. */

static sel_backend backend;
static sel_selector *sel;
static sel_timer timer;
static int ends[2];
static int bytes, writes, tasks, timers, signals, jobs_run, jobs_done;

static void on_byte(sel_selector *same, const sel_key *key, int mask)
{
    char byte;
    CHECK(same == sel && mask == SEL_EVENT_READ);
    CHECK_IS(recv(key->fd, &byte, 1, 0), 1);
    bytes++;
}

static void count(sel_selector *same, void *data)
{
    CHECK(same == sel);
    ++*(int *)data;
}

static void work(void *data)
{
    (void)data;
    jobs_run++;
}

static void done(sel_selector *same, void *data, int status)
{
    CHECK_IS(status, 0);
    count(same, data);
}

static int call_open(void)
{
    int status = sel_open(backend, &sel);
    CHECK((sel != NULL) == (status == 0));
    return status;
}

static int call_register(void)
{
    sel_key key;
    int status = sel_register(sel, ends[0], SEL_EVENT_READ, on_byte, NULL);
    CHECK_IS(sel_get_key(sel, ends[0], &key), status == 0 ? 0 : -ENOENT);
    return status;
}

static int call_add_writer(void)
{
    sel_key key;
    int status = sel_add_writer(sel, ends[1], count, &writes);
    CHECK_IS(sel_get_key(sel, ends[1], &key), status == 0 ? 0 : -ENOENT);
    return status;
}

static int call_select(void)
{
    return sel_select(sel, 0, NULL);
}

static int call_dispatch(void)
{
    return sel_dispatch(sel);
}

static int call_soon(void)
{
    return sel_call_soon(sel, count, &tasks);
}

static int call_soon_threadsafe(void)
{
    return sel_call_soon_threadsafe(sel, count, &tasks);
}

static int call_later(void)
{
    int status = sel_call_later(sel, 0.001, count, &timers, &timer);
    CHECK((timer.id != 0) == (status == 0));
    return status;
}

static int call_signal(void)
{
    return sel_add_signal_handler(sel, SIGUSR1, count, &signals);
}

static int call_executor(void)
{
    return sel_run_in_executor(sel, work, done, &jobs_done);
}

static int call_fileno(void)
{
    int fd = sel_fileno(sel);
    return fd == -ENOTSUP && !has_fileno(backend) ? 0 : fd;
}

static const struct call {
    const char *name;
    int (*call)(void);
    int errors[ERRORS]; /* what its declaration lists */
} calls[] = {
    {"sel_open", call_open, {-ENOMEM, -EMFILE, -ENFILE}},
    {"sel_register", call_register, {-ENOMEM, -ENOSPC}},
    {"sel_add_writer", call_add_writer, {-ENOMEM, -ENOSPC}},
    {"sel_select", call_select, {-ENOMEM, -ENOSPC, -EMFILE}},
    {"sel_dispatch", call_dispatch, {0}},
    {"sel_call_soon", call_soon, {-ENOMEM}},
    {"sel_call_soon_threadsafe", call_soon_threadsafe, {-ENOMEM}},
    {"sel_call_later", call_later, {-ENOMEM, -EMFILE, -ENFILE}},
    {"sel_add_signal_handler", call_signal, {-ENOMEM, -EMFILE, -ENFILE}},
    {"sel_run_in_executor", call_executor, {-EAGAIN, -ENOMEM, -EMFILE, -ENFILE}},
    {"sel_fileno", call_fileno, {-ENOMEM, -EMFILE, -ENFILE}},
};
enum { CALLS = sizeof calls / sizeof *calls };

static bool is_listed(const struct call *call, int status)
{
    for (int i = 0; i < ERRORS; i++)
        if (status < 0 && call->errors[i] == status)
            return true;
    return false;
}

/* A call that fails works once there is enough; then it is scarce again. */
static void make_call(const struct call *call, void (*relieve)(void),
                      void (*resume)(void))
{
    int status = call->call();
    if (status < 0) {
        if (!is_listed(call, status))
            fprintf(stderr, "%s says %s\n", call->name, sel_strerror(status));
        CHECK(is_listed(call, status));
        relieve();
        CHECK(call->call() >= 0);
        resume();
    }
}

static void make_calls(void (*relieve)(void), void (*resume)(void))
{
    int order[CALLS];
    for (int i = 0; i < CALLS; i++) {
        int j = i == 0 ? 0 : 1 + (int)pick((unsigned)i); /* sel_open stays first */
        order[i] = order[j < i ? j : i];
        order[j < i ? j : i] = i;
    }
    for (int i = 0; i < CALLS; i++)
        make_call(&calls[order[i]], relieve, resume);
    relieve();
}

static void finish(void)
{
    CHECK_IS(raise(SIGUSR1), 0);
    CHECK_IS(send(ends[1], "", 1, 0), 1);
    while (bytes < 1 || writes < 1 || tasks < 2 || timers < 1 || signals < 1 || jobs_done < 1) {
        CHECK(sel_select(sel, SEL_FOREVER, NULL) >= 0);
        CHECK(sel_dispatch(sel) >= 0);
    }
    CHECK(bytes == 1 && tasks == 2 && timers == 1 && signals == 1);
    CHECK(jobs_done == 1 && jobs_run == 1);
    CHECK_IS(sel_get_map(sel, NULL, 0), 2);
    CHECK_IS(sel_remove_writer(sel, ends[1]), 0);
    CHECK_IS(sel_get_map(sel, NULL, 0), 1);
    CHECK_IS(sel_close(sel), 0);
    close(ends[0]);
    close(ends[1]);
}

/* Memory. */

static int spared; /* allocations still to come before the one that fails */

static void spare_memory(void)
{
    spared = allocations_left;
    allocations_left = -1;
}

static void spend_memory(void)
{
    allocations_left = spared;
}

/* Descriptors and threads. */

static int resource;
static struct rlimit few, enough;

static void raise_limit(void)
{
    CHECK_IS(setrlimit((__rlimit_resource_t)resource, &enough), 0);
}

static void lower_limit(void)
{
    CHECK_IS(setrlimit((__rlimit_resource_t)resource, &few), 0);
}

static void set_scarce(int which, int limit)
{
    resource = which;
    CHECK_IS(getrlimit((__rlimit_resource_t)which, &enough), 0);
    few = (struct rlimit){(rlim_t)limit, enough.rlim_max};
    lower_limit();
}

/* A process of its own, and what it ends with. */
enum kind { MEMORY, MEMORY_FOR_GOOD, DESCRIPTORS, THREADS };
enum { ALL_WELL, NO_ALLOCATION_FAILED };

_Noreturn static void live(enum kind kind, int amount)
{
    CHECK(make_pair(ends));
    if (kind == DESCRIPTORS || kind == THREADS) {
        set_scarce(kind == THREADS ? RLIMIT_NPROC : RLIMIT_NOFILE, amount);
        make_calls(raise_limit, lower_limit);
    } else {
        all_fail = kind == MEMORY_FOR_GOOD;
        allocations_left = amount;
        make_calls(spare_memory, spend_memory);
    }
    finish();
    exit(kind <= MEMORY_FOR_GOOD && failures == 0 ? NO_ALLOCATION_FAILED : ALL_WELL);
}

static int live_in_child(enum kind kind, int amount)
{
    pid_t child = fork_bounded();
    if (child == 0) {
        /* The limit of threads counts a user's, and holds for everyone but root. */
        if (kind == THREADS && geteuid() == 0)
            CHECK_IS(setuid(60000 + (uid_t)getpid() % 5000), 0);
        live(kind, amount);
    }
    pick(2); /* another order next time */
    return wait_for(child);
}

static void scarcity(sel_backend which)
{
    backend = which;
    for (int kind = MEMORY; kind <= MEMORY_FOR_GOOD; kind++) {
        int allocations = 0;
        while (live_in_child((enum kind)kind, allocations) == ALL_WELL)
            CHECK(++allocations < MOST_ALLOCATIONS);
        CHECK(allocations > 0);
    }
    for (int i = 0; i < MOST_DESCRIPTORS; i++)
        CHECK_IS(live_in_child(DESCRIPTORS, i), ALL_WELL);
    for (int i = 1; i < MOST_THREADS; i++)
        CHECK_IS(live_in_child(THREADS, i), ALL_WELL);
}

int main(int argc, char **argv)
{
    return stranger_main(argc, argv, 1, scarcity);
}
