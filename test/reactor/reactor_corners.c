/* SPDX-License-Identifier: MIT */
/*
 * Corners of the reactor that no other suite reaches, found by looking for the
 * library's branches that no test had taken.
 */
#include "support/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <selkie/uv.h>
#include <signal.h>
#include <sys/select.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

/* --- timers beside keys --- */

static void *make_readable_later(void *data)
{
    poll(NULL, 0, 350);
    put_byte(*(int *)data);
    return NULL;
}

/* select(2) returns for such a key again and again. */
START_TEST(a_key_that_becomes_readable_unasked_makes_no_timer_late)
{
    static const int64_t delay = 400000000;
    sel_selector *sel = open_selector(_i);
    pthread_t thread;
    int ends[2];
    int64_t start, took;

    make_socketpair(ends);
    fill(ends[0]);
    assert_ok(sel_register(sel, ends[0], WRITE, note_ready, "never"));
    start = now_ns();
    assert_ok(sel_call_later(sel, 0.4, stop, NULL, NULL));
    start_thread(&thread, make_readable_later, &ends[1]);
    assert_ok(sel_run(sel));
    took = now_ns() - start;
    join_thread(thread);
    ck_assert_int_ge(took, delay);
    ck_assert(is_instrumented() || took < delay + delay / 2);
    assert_noted("");
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* --- attached --- */

static void open_attached(int backend, uv_loop_t *loop, sel_selector **ret_sel)
{
    assert_ok(uv_loop_init(loop));
    *ret_sel = open_selector(backend);
    assert_ok(sel_attach_loop(*ret_sel, loop));
}

static void run_and_close(uv_loop_t *loop, sel_selector *sel)
{
    ck_assert_int_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_ok(uv_loop_close(loop));
}

static void run_loop_inside(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    assert_ok(sel_unregister(sel, key->fd));
    assert_ok(sel_call_soon(sel, note, "later "));
    for (int i = 0; i < 3; i++)
        uv_run(key->data, UV_RUN_NOWAIT);
    note(sel, "inside ");
}

START_TEST(a_run_of_the_loop_inside_a_callback_dispatches_nothing)
{
    int fd = make_eventfd(1);
    sel_selector *sel;
    uv_loop_t loop;

    open_attached(_i, &loop, &sel);
    assert_ok(sel_register(sel, fd, READ, run_loop_inside, &loop));
    run_and_close(&loop, sel);
    assert_noted("inside later ");
    close(fd);
}
END_TEST

START_TEST(a_child_that_runs_the_loop_before_it_follows_dispatches_nothing)
{
    sel_selector *sel;
    uv_loop_t loop;
    pid_t pid;

    open_attached(_i, &loop, &sel);
    assert_ok(sel_call_soon(sel, note, "task"));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(uv_loop_fork(&loop));
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_noted("");
        _exit(0);
    }
    assert_child_succeeds(pid);
    run_and_close(&loop, sel);
    assert_noted("task");
}
END_TEST

static void end_key(sel_selector *sel, const sel_key *key, int mask)
{
    note_ready(sel, key, mask);
    assert_ok(sel_unregister(sel, key->fd));
}

static void watch_for_write(sel_selector *sel, void *fd)
{
    assert_ok(sel_modify(sel, *(int *)fd, WRITE, end_key, "writable"));
}

/* The loop is about to sleep when the task asks for more. */
START_TEST(what_a_task_changes_is_heard_before_the_loop_sleeps)
{
    sel_selector *sel;
    uv_loop_t loop;
    int ends[2];

    make_socketpair(ends);
    open_attached(_i, &loop, &sel);
    assert_ok(sel_register(sel, ends[0], READ, note_ready, "never"));
    assert_ok(sel_call_soon(sel, watch_for_write, &ends[0]));
    run_and_close(&loop, sel);
    assert_noted("writable");
    close_pair(ends);
}
END_TEST

START_TEST(keys_from_before_keep_an_attached_loop_going)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);
    uv_loop_t loop;

    assert_ok(uv_loop_init(&loop));
    assert_ok(sel_register(sel, fd, READ, end_key, "ready"));
    assert_ok(sel_attach_loop(sel, &loop));
    run_and_close(&loop, sel);
    assert_noted("ready");
    close(fd);
}
END_TEST

/* --- what is cancelled or removed after it was collected, and before the end --- */

START_TEST(a_due_timer_that_was_cancelled_goes_with_the_selector)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    assert_ok(sel_call_later(sel, 0.001, never, NULL, &timer));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_signal_that_came_for_a_removed_handler_goes_with_the_selector)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
    raise(SIGUSR1);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_ok(sel_close(sel));
}
END_TEST

/* There is nothing left to return for, or to go on for. */
START_TEST(what_was_collected_and_cancelled_ends_no_wait)
{
    sel_selector *sel = open_selector(_i);

    for (int round = 0; round < 3; round++) {
        sel_timer timer;

        assert_ok(sel_call_later(sel, 0.001, never, NULL, &timer));
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
        raise(SIGUSR1);
        for (int64_t start = now_ns(); now_ns() - start < 3000000;)
            ck_assert_int_eq(sel_select(sel, 0.001, NULL), 0); /* both are collected */
        assert_ok(sel_cancel(sel, timer));
        assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
        assert_quiet(sel, 0.02);
        ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
        assert_ok(sel_run(sel));
        if (round > 0)
            ck_assert_int_eq(sel_dispatch(sel), 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void note_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    note(NULL, handle->data);
}

/* libuv's own handler must stay: it is not ours alone. */
START_TEST(a_signal_handle_of_the_programs_goes_on_when_ours_is_removed)
{
    sel_selector *sel = open_selector(_i);
    uv_signal_t handle;
    uv_loop_t loop;

    assert_ok(uv_loop_init(&loop));
    assert_ok(uv_signal_init(&loop, &handle));
    handle.data = "program ";
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "sel "));
    assert_ok(uv_signal_start(&handle, note_signal, SIGUSR1));
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(sel), 1);
    uv_run(&loop, UV_RUN_ONCE);
    assert_noted("sel program ");
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    raise(SIGUSR1);
    uv_run(&loop, UV_RUN_ONCE);
    assert_noted("program ");
    uv_close((uv_handle_t *)&handle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_ok(uv_loop_close(&loop));
    assert_ok(sel_close(sel));
}
END_TEST

/* --- forks --- */

START_TEST(a_signal_that_was_refused_is_not_tried_again_in_a_child)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid;

    assert_error(sel_add_signal_handler(sel, SIGKILL, never, NULL), EINVAL);
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "s"));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        raise(SIGUSR1);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("s");
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- numbers --- */

/* What the reactor opens must not be taken for the file that was registered. */
START_TEST(the_reactors_own_descriptors_do_not_take_a_closed_keys_number)
{
    sel_selector *sel = open_selector(_i);
    int fds[4];

    for (int i = 0; i < 4; i++)
        fds[i] = make_eventfd(1);
    for (int i = 0; i < 4; i++)
        assert_ok(sel_register(sel, fds[i], READ, note_ready, "never"));
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    assert_ok(sel_call_later(sel, 0.001, note, "", NULL));
    assert_ok(sel_run_in_executor(sel, no_work, note_done, ""));
    for (int ran = 0; ran < 2;)
        ran += wait_and_pass(sel);
    for (int i = 0; i < 4; i++)
        assert_ok(sel_unregister(sel, fds[i]));
    assert_noted("");
    assert_ok(sel_close(sel));
}
END_TEST

static void take_low_numbers(int fd)
{
    raise_descriptor_limit();
    while (fd < FD_SETSIZE - 1)
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    ck_assert_int_eq(fd, FD_SETSIZE - 1);
}

static void run_everything(sel_selector *sel, int ready)
{
    assert_ok(sel_register(sel, ready, READ, note_ready, ""));
    assert_ok(sel_call_later(sel, 0.001, note, "", NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, ""));
    assert_ok(sel_run_in_executor(sel, no_work, note_done, ""));
    raise(SIGUSR1);
    ck_assert_int_gt(wait_and_pass(sel), 0);
    assert_ok(sel_unregister(sel, ready));
    ck_assert_ptr_nonnull(sel_loop(sel));
    assert_ok(sel_call_soon_threadsafe(sel, note, "s"));
    for (int i = 0; i < 5; i++)
        pass(sel);
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_ok(sel_run(sel));
    assert_noted("s");
    assert_quiet(sel, 0.02);
}

/* `select` returned -ERANGE for them, though the program's keys were low. */
START_TEST(the_reactors_own_descriptors_may_be_beyond_what_select_holds)
{
    pid_t pid = fork(); /* with all that is opened here */

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sel_selector *sel = open_selector(_i);
        int ready = make_eventfd(1);

        take_low_numbers(ready);
        run_everything(sel, ready);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            assert_ok(sel_after_fork(sel));
            run_everything(sel, ready);
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        run_everything(sel, ready);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
}
END_TEST

static TCase *attached(void)
{
    TCase *tcase = new_tcase("attached");

    add_fileno_test(tcase, a_run_of_the_loop_inside_a_callback_dispatches_nothing);
    add_fileno_test(tcase, a_child_that_runs_the_loop_before_it_follows_dispatches_nothing);
    add_fileno_test(tcase, what_a_task_changes_is_heard_before_the_loop_sleeps);
    add_fileno_test(tcase, keys_from_before_keep_an_attached_loop_going);
    return tcase;
}

static TCase *ends(void)
{
    TCase *tcase = new_tcase("ends, forks, numbers and timers");

    add_backend_test(tcase, a_key_that_becomes_readable_unasked_makes_no_timer_late);
    add_backend_test(tcase, what_was_collected_and_cancelled_ends_no_wait);
    add_backend_test(tcase, a_due_timer_that_was_cancelled_goes_with_the_selector);
    add_backend_test(tcase, a_signal_that_came_for_a_removed_handler_goes_with_the_selector);
    add_backend_test(tcase, a_signal_handle_of_the_programs_goes_on_when_ours_is_removed);
    add_backend_test(tcase, a_signal_that_was_refused_is_not_tried_again_in_a_child);
    add_backend_test(tcase, the_reactors_own_descriptors_do_not_take_a_closed_keys_number);
    if (may_open(FD_SETSIZE + 50, "numbers beyond what select holds"))
        add_backend_test(tcase,
                         the_reactors_own_descriptors_may_be_beyond_what_select_holds);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("reactor_corners");

    suite_add_tcase(suite, attached());
    suite_add_tcase(suite, ends());
    return run_suite(suite);
}
