/* SPDX-License-Identifier: MIT */
/*
 * The reactor across a fork: refused until sel_after_fork(); then tasks and timers are
 * the child's too, and work submitted before the fork is the parent's alone.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static pid_t fork_child(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    return pid;
}

START_TEST(until_it_follows_the_fork_the_reactor_refuses_everything_but_close)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer, other = {.id = 77};
    pid_t pid;

    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(sel_call_later(sel, 0, note, "t", &timer));
    pid = fork_child();
    if (pid == 0) {
        assert_error(sel_run(sel), ECHILD);
        assert_error(sel_call_soon(sel, never, NULL), ECHILD);
        assert_error(sel_call_soon_threadsafe(sel, never, NULL), ECHILD);
        assert_error(sel_call_later(sel, 0, never, NULL, &other), ECHILD);
        assert_error(sel_call_at(sel, 0, never, NULL, &other), ECHILD);
        assert_error(sel_call_every(sel, 1, never, NULL, &other), ECHILD);
        assert_error(sel_cancel(sel, timer), ECHILD);
        assert_error(sel_reschedule(sel, timer, 1), ECHILD);
        assert_error(sel_is_alive(sel), ECHILD);
        assert_error(sel_add_signal_handler(sel, SIGUSR1, never, NULL), ECHILD);
        assert_error(sel_run_in_executor(sel, no_work, NULL, NULL), ECHILD);
        ck_assert_ptr_null(sel_loop(sel));
        ck_assert_uint_eq(other.id, 77);
        assert_ok(sel_close(sel));
        assert_noted("");
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_run(sel));
    assert_noted("at");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(tasks_and_timers_go_on_in_both_processes)
{
    sel_selector *sel = open_selector(_i);
    sel_timer cancelled, every;
    int ticks = 0;
    pid_t pid;

    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(sel_call_soon_threadsafe(sel, note, "b"));
    assert_ok(sel_call_later(sel, 0, note, "0", NULL));
    assert_ok(sel_call_later(sel, 0.03, note, "1", NULL));
    assert_ok(sel_call_later(sel, 0.01, never, NULL, &cancelled));
    assert_ok(sel_call_every(sel, 0.005, count_task, &ticks, &every));
    pid = fork_child();
    if (pid == 0)
        assert_ok(sel_after_fork(sel));
    assert_ok(sel_cancel(sel, cancelled));
    assert_ok(sel_call_later(sel, 0.06, stop, NULL, NULL));
    assert_ok(sel_run(sel));
    assert_noted("ab01");
    ck_assert_int_gt(ticks, 0);
    assert_ok(sel_cancel(sel, every));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
    if (pid == 0)
        _exit(0);
    assert_child_succeeds(pid);
}
END_TEST

START_TEST(a_timer_made_in_the_child_is_new_there)
{
    sel_selector *sel = open_selector(_i);
    sel_timer before, after;
    pid_t pid;

    assert_ok(sel_call_later(sel, 3600, never, NULL, &before));
    pid = fork_child();
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_call_later(sel, 0, note, "t", &after));
        ck_assert_uint_gt(after.id, before.id);
        ck_assert_int_eq(pass(sel), 1);
        assert_noted("t");
        assert_ok(sel_cancel(sel, before));
        assert_ok(sel_run(sel));
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_cancel(sel, before));
    assert_ok(sel_close(sel));
}
END_TEST

/* --- work --- */

/* Work that runs while the process forks: it waits for a byte. */
typedef struct {
    int gate[2];
    int done;
} waiting_work;

static void wait_for_byte(void *data)
{
    take_byte(((waiting_work *)data)->gate[0]);
}

static void count_done(sel_selector *sel, void *data, int status)
{
    (void)sel;
    assert_ok(status);
    ++*(int *)data;
}

static void count_waiting_done(sel_selector *sel, void *data, int status)
{
    (void)sel;
    ck_assert(status == 0 || status == -ECANCELED);
    ((waiting_work *)data)->done++;
}

enum { WAITING = 10 }; /* more than pool threads: some run, some are queued */

static void begin_waiting(sel_selector *sel, waiting_work *waiting)
{
    waiting->done = 0;
    make_pipe(waiting->gate);
    for (int i = 0; i < WAITING; i++)
        assert_ok(sel_run_in_executor(sel, wait_for_byte, count_waiting_done, waiting));
}

static void finish_waiting(sel_selector *sel, waiting_work *waiting)
{
    ck_assert_int_eq(waiting->done, 0);
    for (int i = 0; i < WAITING; i++)
        put_byte(waiting->gate[1]);
    assert_ok(sel_run(sel));
    ck_assert_int_eq(waiting->done, WAITING);
    close_pair(waiting->gate);
}

static void use_executor(sel_selector *sel)
{
    int own = 0;

    for (int i = 0; i < 50; i++)
        assert_ok(sel_run_in_executor(sel, no_work, count_done, &own));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(own, 50);
}

START_TEST(work_from_before_the_fork_belongs_to_the_parent)
{
    for (int follows = 0; follows < 2; follows++) {
        sel_selector *sel = open_selector(_i);
        waiting_work waiting;
        pid_t pid;

        begin_waiting(sel, &waiting);
        pid = fork_child();
        if (pid == 0) {
            if (follows) {
                assert_ok(sel_after_fork(sel));
                assert_ok(sel_run(sel)); /* none of it is waited for */
                use_executor(sel);
            }
            assert_ok(sel_close(sel));
            ck_assert_int_eq(waiting.done, 0);
            _exit(0);
        }
        assert_child_succeeds(pid);
        finish_waiting(sel, &waiting);
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* Its result is recorded, but its done has not been called. */
START_TEST(finished_work_that_was_not_dispatched_belongs_to_the_parent)
{
    for (int follows = 0; follows < 2; follows++) {
        sel_selector *sel = open_selector(_i);
        int finished = 0;
        pid_t pid;

        assert_ok(sel_run_in_executor(sel, no_work, count_done, &finished));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        pid = fork_child();
        if (pid == 0) {
            if (follows) {
                assert_ok(sel_after_fork(sel));
                assert_ok(sel_run(sel));
                use_executor(sel);
            }
            assert_ok(sel_close(sel));
            ck_assert_int_eq(finished, 0);
            _exit(0);
        }
        assert_child_succeeds(pid);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        ck_assert_int_eq(finished, 1);
        assert_ok(sel_close(sel));
    }
}
END_TEST

START_TEST(the_pool_serves_children_and_grandchildren)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid;

    use_executor(sel);
    pid = fork_child();
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        use_executor(sel);
        pid = fork_child();
        if (pid == 0) {
            assert_ok(sel_after_fork(sel));
            use_executor(sel);
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        use_executor(sel);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    use_executor(sel);
    assert_ok(sel_close(sel));
}
END_TEST

/* Make passes until the counter has moved, or for five seconds without one being needed. */
static void run_until_counted(sel_selector *sel, const int *count)
{
    for (bool ready = true; ready && *count == 0; sel_dispatch(sel)) {
        int64_t begun = now_ns();

        ck_assert_int_ge(sel_select(sel, 5, NULL), 0);
        ready = now_ns() - begun < 5000000000;
    }
    ck_assert_int_eq(*count, 1);
}

static void count_wakeup(uv_async_t *async)
{
    ++*(int *)async->data;
}

static void no_request(uv_work_t *request)
{
    (void)request;
}

static void count_request(uv_work_t *request, int status)
{
    assert_ok(status);
    ++*(int *)request->data;
}

/* libuv 1.44 keeps its mark for a pending wake-up, and sends no other. */
START_TEST(a_wakeup_on_its_way_at_the_fork_holds_up_none_of_the_childs)
{
    sel_selector *sel = open_selector(_i);
    uv_loop_t *loop = sel_loop(sel);
    int wakeups = 0, requests = 0;
    uv_async_t async = {.data = &wakeups};
    uv_work_t request = {.data = &requests};
    pid_t pid;

    assert_ok(uv_async_init(loop, &async, count_wakeup));
    assert_ok(sel_call_soon(sel, stop, NULL));
    assert_ok(sel_run(sel));
    assert_ok(uv_async_send(&async));
    assert_ok(uv_async_send(&loop->wq_async));
    pid = fork_child();
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        assert_ok(uv_async_send(&async));
        assert_ok(uv_queue_work(loop, &request, no_request, count_request));
        run_until_counted(sel, &wakeups);
        run_until_counted(sel, &requests);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    run_until_counted(sel, &wakeups);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- a thread that posts, also while its process forks --- */

enum { FORKS = 30, MOST_POSTED = 1000 };

typedef struct {
    sel_selector *sel;
    atomic_int posted; /* and not run yet */
    atomic_bool refused, over;
} poster;

static void take_in(sel_selector *sel, void *data)
{
    (void)sel;
    atomic_fetch_sub(&((poster *)data)->posted, 1);
}

/* Asserts nothing: libcheck has a lock, too. */
static void *post_and_post(void *data)
{
    poster *self = data;

    while (!atomic_load(&self->over))
        if (atomic_load(&self->posted) < MOST_POSTED) {
            atomic_fetch_add(&self->posted, 1);
            if (sel_call_soon_threadsafe(self->sel, take_in, self) < 0)
                atomic_store(&self->refused, true);
        }
    return NULL;
}

/* So that no post allocates: sanitizers have a lock for that, which no fork lets go. */
static void make_room(poster *other)
{
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MOST_POSTED; i++)
            assert_ok(sel_call_soon_threadsafe(other->sel, take_in, other));
        pass(other->sel);
    }
    atomic_store(&other->posted, 0);
}

/* The thread may have been in the middle of it: its lock must not be held in the child. */
START_TEST(a_fork_while_another_thread_posts_holds_up_no_post_in_the_child)
{
    poster other = {.sel = open_selector(_i)};
    pthread_t thread;

    make_room(&other);
    start_thread(&thread, post_and_post, &other);
    for (int i = 0; i < FORKS; i++) {
        pid_t pid;

        pass(other.sel);
        pid = fork_child();
        if (pid == 0) {
            assert_ok(sel_after_fork(other.sel));
            assert_ok(sel_call_soon_threadsafe(other.sel, stop, NULL));
            assert_ok(sel_run(other.sel));
            assert_ok(sel_close(other.sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
    }
    atomic_store(&other.over, true);
    join_thread(thread);
    ck_assert(!atomic_load(&other.refused));
    assert_ok(sel_close(other.sel));
}
END_TEST

/* Work of the program's own on sel_loop(): waiting for a byte, and for a reader. */
typedef struct {
    uv_work_t work;
    uv_pipe_t pipe;
    uv_write_t write;
    int gate[2];
    int worked, written;
} requests;

static void wait_at_gate(uv_work_t *work)
{
    take_byte(((requests *)work->data)->gate[0]);
}

static void count_worked(uv_work_t *work, int status)
{
    assert_ok(status);
    ((requests *)work->data)->worked++;
}

static void count_written(uv_write_t *write, int status)
{
    (void)status;
    ((requests *)write->data)->written++;
}

static void begin_requests(sel_selector *sel, requests *all, bool works, int full)
{
    static char byte;
    uv_buf_t buffer = uv_buf_init(&byte, 1);

    *all = (requests){.work.data = all, .write.data = all};
    make_pipe(all->gate);
    if (works)
        assert_ok(uv_queue_work(sel_loop(sel), &all->work, wait_at_gate, count_worked));
    assert_ok(uv_pipe_init(sel_loop(sel), &all->pipe, 0));
    assert_ok(uv_pipe_open(&all->pipe, full));
    assert_ok(uv_write(&all->write, (uv_stream_t *)&all->pipe, &buffer, 1, count_written));
    ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
    sel_dispatch(sel);
    ck_assert_int_eq(all->written, 0);
}

START_TEST(requests_on_the_loop_hold_up_no_close_in_a_child)
{
    for (int kind = 0; kind < 4; kind++) { /* with work or without, follows or not */
        sel_selector *sel = open_selector(_i);
        requests all;
        int ends[2];
        pid_t pid;

        make_socketpair(ends);
        set_nonblocking(ends[1], true);
        fill(ends[1]);
        begin_requests(sel, &all, kind % 2 == 0, ends[1]);
        pid = fork_child();
        if (pid == 0) {
            if (kind / 2 == 0)
                assert_ok(sel_after_fork(sel));
            assert_ok(sel_close(sel));
            ck_assert_int_eq(all.written, 1); /* cancelled */
            ck_assert_int_eq(all.worked, 0);
            _exit(0);
        }
        assert_child_succeeds(pid);
        put_byte(all.gate[1]);
        assert_ok(sel_close(sel));
        ck_assert_int_eq(all.worked, kind % 2 == 0);
        close(ends[0]);
        close_pair(all.gate);
    }
}
END_TEST

/* Everything a selector can hold at once, in use on both sides. */
START_TEST(a_selector_with_everything_follows_the_fork)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    waiting_work waiting;
    int fd = make_eventfd(1), ticks = 0;
    struct uv_loop_s *loop = sel_loop(sel);
    pid_t pid;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &record));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, count_task, &ticks));
    assert_ok(sel_call_every(sel, 0.001, count_task, &ticks, NULL));
    begin_waiting(sel, &waiting);
    pid = fork_child();
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        ck_assert_ptr_eq(sel_loop(sel), loop);
        raise(SIGUSR1);
        while (ticks < 10)
            wait_and_pass(sel);
        ck_assert_int_ge(record.calls, 1);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    while (ticks < 10)
        wait_and_pass(sel);
    assert_ok(sel_unregister(sel, fd));
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_ok(sel_call_later(sel, 0.01, stop, NULL, NULL));
    assert_ok(sel_run(sel));
    for (int i = 0; i < WAITING; i++)
        put_byte(waiting.gate[1]);
    assert_ok(sel_close(sel)); /* waits for the work */
    ck_assert_int_eq(waiting.done, WAITING);
    close_pair(waiting.gate);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reactor_fork");
    TCase *tcase = new_tcase("the reactor across a fork");

    add_backend_test(tcase,
                     until_it_follows_the_fork_the_reactor_refuses_everything_but_close);
    add_backend_test(tcase, tasks_and_timers_go_on_in_both_processes);
    add_backend_test(tcase, a_timer_made_in_the_child_is_new_there);
    add_backend_test(tcase, work_from_before_the_fork_belongs_to_the_parent);
    add_backend_test(tcase,
                     finished_work_that_was_not_dispatched_belongs_to_the_parent);
    if (may_start(3 * (1 + 4), "the pools of three generations"))
        add_backend_test(tcase, the_pool_serves_children_and_grandchildren);
    add_backend_test(tcase, a_wakeup_on_its_way_at_the_fork_holds_up_none_of_the_childs);
    add_backend_test(tcase, a_fork_while_another_thread_posts_holds_up_no_post_in_the_child);
    add_backend_test(tcase, requests_on_the_loop_hold_up_no_close_in_a_child);
    add_backend_test(tcase, a_selector_with_everything_follows_the_fork);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
