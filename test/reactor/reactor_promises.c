/* SPDX-License-Identifier: MIT */
/*
 * The sentences of reactor.h and uv.h about a machine with nothing left to give, and
 * about what is seen from outside: the pool's threads, the descriptors of a loop. All
 * the others have their tests elsewhere: contract/ has the list.
 */
#include "support/journal.h"
#include "support/scarcity.h"

#include <errno.h>
#include <selkie/uv.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

/* --- without descriptors --- */

enum { SIGNAL, JOB, LOOP, KINDS };

/* What is made on first use; 0 or a negative errno. */
static int first_use(sel_selector *sel, int kind)
{
    switch (kind) {
    case SIGNAL: return sel_add_signal_handler(sel, SIGUSR1, note, "x");
    case JOB: return sel_run_in_executor(sel, no_work, note_done, "x");
    default: return sel_loop(sel) != NULL ? 0 : -EMFILE;
    }
}

static void use_with_growing_room(sel_selector *sel, int kind)
{
    int error = -EMFILE, room;

    for (room = 0; error == -EMFILE && room < MOST_NEEDED; room++) {
        leave_room(room);
        error = first_use(sel, kind);
        leave_room(AS_BEFORE);
        ck_assert(error == 0 || error == -EMFILE);
        if (error < 0)
            ck_assert_int_eq(pass(sel), 0);
    }
    ck_assert_int_gt(room, 1);
    ck_assert_int_eq(error, 0);
}

START_TEST(the_first_of_a_kind_without_descriptors_is_emfile)
{
    for (int kind = SIGNAL; kind < KINDS; kind++) {
        sel_selector *sel = open_selector(_i);

        use_with_growing_room(sel, kind);
        if (kind == SIGNAL)
            ck_assert_int_eq(raise(SIGUSR1), 0);
        if (kind != LOOP) {
            wait_and_pass(sel);
            assert_noted("x");
        }
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* They used to be libuv's, whose loop needs descriptors of its own. */
START_TEST(timers_and_tasks_need_no_descriptors)
{
    sel_selector *sel = open_selector(_i);
    sel_timer moved;

    leave_room(0);
    assert_ok(sel_call_later(sel, 0.001, note, "3", NULL));
    assert_ok(sel_call_later(sel, 3600, note, "2", &moved));
    assert_ok(sel_reschedule(sel, moved, -1)); /* the other may be due by now */
    assert_ok(sel_call_soon(sel, note, "0"));
    assert_ok(sel_call_soon_threadsafe(sel, note, "1"));
    assert_ok(sel_run(sel));
    leave_room(AS_BEFORE);
    assert_noted("0123");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(attaching_without_descriptors_is_emfile)
{
    uv_loop_t loop;
    sel_selector *sel = open_selector(_i);
    int error = -EMFILE, room;

    assert_ok(uv_loop_init(&loop));
    for (room = 0; error == -EMFILE && room < MOST_NEEDED; room++) {
        leave_room(room);
        error = sel_attach_loop(sel, &loop);
        leave_room(AS_BEFORE);
        ck_assert(error == 0 || error == -EMFILE);
        if (error < 0)
            ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
    }
    ck_assert_int_gt(room, 1);
    ck_assert_int_eq(error, 0);
    assert_error(sel_select(sel, 0, NULL), EBUSY);
    assert_ok(sel_call_soon(sel, note, "a"));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_noted("a");
    assert_ok(sel_close(sel));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_ok(uv_loop_close(&loop));
}
END_TEST

/* --- without memory --- */

static void call_without_memory(int backend, bool has_services)
{
    enum { LATER, AT, EVERY, SIGNAL_HANDLER, EXECUTOR, SOON, THREADSAFE, CALLS };
    int errors[CALLS];
    sel_timer timer = {.id = 77};
    struct rlimit limit;
    sel_selector *sel;
    hoard *all;

    if (!memory_can_be_taken())
        return;
    sel = open_selector(backend);
    if (has_services) {
        assert_ok(sel_add_signal_handler(sel, SIGUSR2, never, NULL));
        assert_ok(sel_remove_signal_handler(sel, SIGUSR2));
    }
    all = take_all(&limit);
    errors[LATER] = sel_call_later(sel, 0, never, NULL, &timer);
    errors[AT] = sel_call_at(sel, 0, never, NULL, &timer);
    errors[EVERY] = sel_call_every(sel, 1, never, NULL, &timer);
    errors[SIGNAL_HANDLER] = sel_add_signal_handler(sel, SIGUSR1, never, NULL);
    errors[EXECUTOR] = sel_run_in_executor(sel, no_work, note_done, "never");
    errors[SOON] = sel_call_soon(sel, never, NULL);
    errors[THREADSAFE] = sel_call_soon_threadsafe(sel, never, NULL);
    free_all(all, &limit);
    for (int i = 0; i < CALLS; i++)
        ck_assert_msg(errors[i] == -ENOMEM, "call %d: %d", i, errors[i]);
    ck_assert_uint_eq(timer.id, 77);
    assert_ok(sel_run(sel));
    assert_noted("");
    assert_ok(sel_close(sel));
}

START_TEST(without_memory_nothing_is_queued_and_no_time_is_set)
{
    call_without_memory(_i, false);
}
END_TEST

START_TEST(without_memory_it_is_so_where_the_services_are_there)
{
    call_without_memory(_i, true);
}
END_TEST

START_TEST(attaching_without_memory_is_enomem)
{
    uv_loop_t loop;
    sel_selector *sel;
    struct rlimit limit;
    hoard *all;
    int error;

    if (!memory_can_be_taken())
        return;
    assert_ok(uv_loop_init(&loop));
    sel = open_selector(_i);
    all = take_all(&limit);
    error = sel_attach_loop(sel, &loop);
    free_all(all, &limit);
    ck_assert_int_eq(error, -ENOMEM);
    ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_ok(uv_loop_close(&loop));
}
END_TEST

/* --- the pool --- */

static sem_t started, may_end;
static atomic_int starts;

static void wait_for_the_word(void *unused)
{
    (void)unused;
    atomic_fetch_add(&starts, 1);
    sem_post(&started);
    while (sem_wait(&may_end) != 0)
        continue;
}

/* One job more than the pool has threads, which does not start until another has ended. */
static void fill_pool(int backend, int size)
{
    sel_selector *sel = open_selector(backend);

    ck_assert_int_eq(sem_init(&started, 0, 0), 0);
    ck_assert_int_eq(sem_init(&may_end, 0, 0), 0);
    for (int i = 0; i < size + 1; i++)
        assert_ok(sel_run_in_executor(sel, wait_for_the_word, note_done, "j"));
    for (int i = 0; i < size; i++)
        ck_assert_int_eq(sem_wait(&started), 0);
    assert_quiet(sel, 0.05);
    ck_assert_int_eq(atomic_load(&starts), size);
    ck_assert_int_eq(sem_post(&may_end), 0);
    ck_assert_int_eq(sem_wait(&started), 0);
    for (int i = 0; i < size; i++)
        ck_assert_int_eq(sem_post(&may_end), 0);
    assert_ok(sel_run(sel));
    ck_assert_int_eq(atomic_load(&starts), size + 1);
    assert_ok(sel_close(sel));
    sem_destroy(&started);
    sem_destroy(&may_end);
}

START_TEST(the_pool_has_four_threads)
{
    ck_assert_int_eq(unsetenv("UV_THREADPOOL_SIZE"), 0);
    fill_pool(_i, 4);
    assert_noted("jjjjj");
}
END_TEST

START_TEST(the_pool_has_as_many_threads_as_the_environment_says)
{
    ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", "2", 1), 0);
    fill_pool(_i, 2);
    assert_noted("jjj");
}
END_TEST

enum { POSTS = 2000 };

typedef struct {
    sel_selector *sel;
    int refused;
    int done;
} poster;

static void post_all_the_time(void *data)
{
    poster *self = data;

    sem_post(&started);
    for (int i = 0; i < POSTS; i++)
        self->refused += sel_call_soon_threadsafe(self->sel, never, NULL) != 0;
}

static void post_is_done(sel_selector *sel, void *data, int status)
{
    poster *self = data;

    (void)sel;
    ck_assert_int_eq(status, 0);
    self->done++;
}

START_TEST(work_may_post_tasks_while_the_selector_is_closed)
{
    for (int i = 0; i < 20; i++) {
        poster self = {.sel = open_selector(_i)};

        ck_assert_int_eq(sem_init(&started, 0, 0), 0);
        assert_ok(sel_run_in_executor(self.sel, post_all_the_time, post_is_done, &self));
        ck_assert_int_eq(sem_wait(&started), 0);
        assert_ok(sel_close(self.sel)); /* waits for it */
        ck_assert_int_eq(self.done, 1);
        ck_assert_int_eq(self.refused, 0);
        sem_destroy(&started);
    }
}
END_TEST

/* --- what a run counts, and what a timer is called --- */

static void *post_when_told(void *data)
{
    while (sem_wait(&may_end) != 0)
        continue;
    assert_ok(sel_call_soon_threadsafe(data, note, "p"));
    return NULL;
}

START_TEST(a_thread_that_will_post_keeps_no_run_going)
{
    sel_selector *sel = open_selector(_i);
    pthread_t thread;

    ck_assert_int_eq(sem_init(&may_end, 0, 0), 0);
    start_thread(&thread, post_when_told, sel);
    assert_ok(sel_run(sel)); /* returns, though the thread is there */
    assert_noted("");
    ck_assert_int_eq(sem_post(&may_end), 0);
    join_thread(thread);
    assert_ok(sel_run(sel));
    assert_noted("p");
    sem_destroy(&may_end);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(no_timer_has_the_id_0)
{
    sel_selector *sel = open_selector(_i);
    sel_timer none = {.id = 0}, timer = {.id = 0};

    assert_error(sel_cancel(sel, none), ENOENT);
    assert_ok(sel_call_later(sel, 0, note, "t", &timer));
    ck_assert_uint_ne(timer.id, 0);
    assert_error(sel_cancel(sel, none), ENOENT);
    assert_ok(sel_run(sel));
    assert_noted("t");
    assert_ok(sel_close(sel));
}
END_TEST

/* --- the loop of the program's --- */

/* Does the epoll set of a loop hold this descriptor? */
static bool is_watched(const uv_loop_t *loop, int fd)
{
    char path[64], line[256];
    bool found = false;
    int watched;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", uv_backend_fd(loop));
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        found = found || (sscanf(line, "tfd: %d", &watched) == 1 && watched == fd);
    fclose(file);
    return found;
}

START_TEST(an_attached_loop_watches_one_descriptor)
{
    uv_loop_t loop;
    sel_selector *sel = open_selector(_i);
    int ready = make_eventfd(1), ends[2];

    make_pipe(ends);
    assert_ok(uv_loop_init(&loop));
    assert_ok(sel_attach_loop(sel, &loop));
    assert_ok(sel_register(sel, ready, READ, note_ready, "k"));
    assert_ok(sel_register(sel, ends[0], READ, note_ready, "never"));
    ck_assert_int_ne(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert_int_ne(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert(is_watched(&loop, sel_fileno(sel)));
    ck_assert(!is_watched(&loop, ready));
    ck_assert(!is_watched(&loop, ends[0]));
    assert_ok(sel_close(sel));
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_ok(uv_loop_close(&loop));
    close(ready);
    close_pair(ends);
}
END_TEST

START_TEST(a_child_cannot_attach_until_it_has_followed)
{
    uv_loop_t loop;
    sel_selector *sel = open_selector(_i);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(uv_loop_init(&loop));
        assert_error(sel_attach_loop(sel, &loop), ECHILD);
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_attach_loop(sel, &loop));
        assert_ok(sel_close(sel));
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_ok(uv_loop_close(&loop));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reactor_promises");
    TCase *tcase = new_tcase("reactor_promises");

    add_backend_test(tcase, the_first_of_a_kind_without_descriptors_is_emfile);
    add_backend_test(tcase, timers_and_tasks_need_no_descriptors);
    add_fileno_test(tcase, attaching_without_descriptors_is_emfile);
    add_backend_test(tcase, without_memory_nothing_is_queued_and_no_time_is_set);
    add_backend_test(tcase, without_memory_it_is_so_where_the_services_are_there);
    add_fileno_test(tcase, attaching_without_memory_is_enomem);
    add_backend_test(tcase, the_pool_has_four_threads);
    add_backend_test(tcase, the_pool_has_as_many_threads_as_the_environment_says);
    add_backend_test(tcase, work_may_post_tasks_while_the_selector_is_closed);
    add_backend_test(tcase, a_thread_that_will_post_keeps_no_run_going);
    add_backend_test(tcase, no_timer_has_the_id_0);
    add_fileno_test(tcase, an_attached_loop_watches_one_descriptor);
    add_fileno_test(tcase, a_child_cannot_attach_until_it_has_followed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
