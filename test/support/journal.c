/* SPDX-License-Identifier: MIT */
#include "support/journal.h"

#include "support/os.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JOURNAL_SIZE = 4096 };

static char journal[JOURNAL_SIZE];

void note(sel_selector *sel, void *data)
{
    size_t length = strlen(journal);

    (void)sel;
    ck_assert_uint_lt(length + strlen(data), JOURNAL_SIZE);
    strcat(journal, data);
}

void note_ready(sel_selector *sel, const sel_key *key, int mask)
{
    ck_assert_int_ne(mask, 0);
    note(sel, key->data);
}

void note_done(sel_selector *sel, void *data, int status)
{
    assert_ok(status);
    note(sel, data);
}

void assert_noted(const char *expected)
{
    ck_assert_str_eq(journal, expected);
    journal[0] = '\0';
}

void stop(sel_selector *sel, void *unused)
{
    (void)unused;
    sel_stop(sel);
}

void count_task(sel_selector *sel, void *data)
{
    (void)sel;
    ++*(int *)data;
}

void never(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
    ck_abort_msg("a task ran that must not");
}

int pass(sel_selector *sel)
{
    int called;

    ck_assert_int_ge(sel_select(sel, 0, NULL), 0);
    called = sel_dispatch(sel);
    ck_assert_int_ge(called, 0);
    return called;
}

int wait_and_pass(sel_selector *sel)
{
    int called;

    ck_assert_int_ge(sel_select(sel, 10, NULL), 0);
    called = sel_dispatch(sel);
    ck_assert_int_gt(called, 0);
    return called;
}

void no_work(void *unused)
{
    (void)unused;
}

typedef struct {
    sel_task *body;
    void *data;
    bool called;
} origin_call;

static void call_body(sel_selector *sel, void *data)
{
    origin_call *call = data;

    call->body(sel, call->data);
    call->called = true;
}

static void on_ready(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    assert_ok(sel_unregister(sel, key->fd));
    close(key->fd);
    call_body(sel, key->data);
}

static void on_done(sel_selector *sel, void *data, int status)
{
    assert_ok(status);
    call_body(sel, data);
}

static void on_signal(sel_selector *sel, void *data)
{
    assert_ok(sel_remove_signal_handler(sel, SIGUSR2));
    call_body(sel, data);
}

int count_origins(void)
{
    return first_backend() == 0 ? ORIGINS : FROM_SIGNAL;
}

void call_from(sel_selector *sel, int origin, sel_task *body, void *data)
{
    origin_call call = {.body = body, .data = data};

    if (origin == FROM_TASK)
        assert_ok(sel_call_soon(sel, call_body, &call));
    else if (origin == FROM_KEY)
        assert_ok(sel_register(sel, make_eventfd(1), SEL_EVENT_READ, on_ready, &call));
    else if (origin == FROM_TIMER)
        assert_ok(sel_call_later(sel, 0, call_body, &call, NULL));
    else if (origin == FROM_DONE)
        assert_ok(sel_run_in_executor(sel, no_work, on_done, &call));
    else {
        assert_ok(sel_add_signal_handler(sel, SIGUSR2, on_signal, &call));
        raise(SIGUSR2);
    }
    while (!call.called)
        wait_and_pass(sel);
}

bool is_instrumented(void)
{
    return getenv("TEST_INSTRUMENTED") != NULL;
}

void work_for(int64_t ns)
{
    int64_t start = now_ns();

    while (now_ns() - start < ns)
        continue;
}

void start_thread(pthread_t *thread, void *(*body)(void *), void *data)
{
    ck_assert_int_eq(pthread_create(thread, NULL, body, data), 0);
}

void join_thread(pthread_t thread)
{
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void *wait_for_all(void *barrier)
{
    pthread_mutex_lock(barrier);
    pthread_mutex_unlock(barrier);
    return NULL;
}

bool may_start(int wanted, const char *test)
{
    pthread_mutex_t barrier = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[32];
    int started = 0;

    pthread_mutex_lock(&barrier);
    while (started < wanted
           && pthread_create(&threads[started], NULL, wait_for_all, &barrier) == 0)
        started++;
    pthread_mutex_unlock(&barrier);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started == wanted)
        return true;
    printf("left out %s: it needs %d threads and processes more, and %d are allowed\n", test,
           wanted, started);
    fflush(stdout);
    return false;
}

pid_t this_thread(void)
{
    return THIS_THREAD();
}

#ifdef __linux__

void wait_until_asleep(pid_t thread)
{
    char path[64], line[256], state = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    while (state != 'S') {
        FILE *file = fopen(path, "re");

        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        fclose(file);
        state = strrchr(line, ')')[2];
        sched_yield();
    }
}

#else

/* Nobody says: after this long it is, probably. */
void wait_until_asleep(pid_t thread)
{
    (void)thread;
    usleep(50000);
}

#endif
