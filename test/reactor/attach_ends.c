/* SPDX-License-Identifier: MIT */
/*
 * What an attachment goes through apart from its ordinary life: forks, a loop whose
 * handles the program has all closed, circles.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static void take_and_unregister(sel_selector *sel, const sel_key *key, int mask)
{
    note_ready(sel, key, mask);
    take_byte(key->fd);
    assert_ok(sel_unregister(sel, key->fd));
}

/* A selector that is attached to the loop and watches ends[0]. */
static sel_selector *open_attached(int backend, uv_loop_t *loop, int ends[2])
{
    sel_selector *sel = open_selector(backend);

    assert_ok(uv_loop_init(loop));
    assert_ok(sel_attach_loop(sel, loop));
    make_pipe(ends);
    assert_ok(sel_register(sel, ends[0], READ, take_and_unregister, "k"));
    uv_run(loop, UV_RUN_NOWAIT);
    return sel;
}

static void assert_serves(uv_loop_t *loop, int writer)
{
    put_byte(writer);
    ck_assert_int_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_noted("k");
}

static void close_both(uv_loop_t *loop, sel_selector *sel)
{
    assert_ok(sel_close(sel));
    ck_assert_int_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_ok(uv_loop_close(loop));
}

static void assert_parent_goes_on(pid_t child, uv_loop_t *loop, sel_selector *sel,
                                  const int ends[2])
{
    assert_child_succeeds(child);
    assert_serves(loop, ends[1]);
    close_both(loop, sel);
    close_pair(ends);
}

START_TEST(a_child_follows_with_the_loop_in_either_order)
{
    for (int loop_first = 0; loop_first < 2; loop_first++) {
        uv_loop_t loop;
        int ends[2], own[2];
        sel_selector *sel = open_attached(_i, &loop, ends);
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            if (loop_first)
                assert_ok(uv_loop_fork(&loop));
            assert_ok(sel_after_fork(sel));
            if (!loop_first)
                assert_ok(uv_loop_fork(&loop));
            assert_ok(sel_unregister(sel, ends[0]));
            make_pipe(own);
            assert_ok(sel_register(sel, own[0], READ, take_and_unregister, "k"));
            assert_serves(&loop, own[1]);
            close_both(&loop, sel);
            close_pair(own);
            _exit(0);
        }
        assert_parent_goes_on(pid, &loop, sel, ends);
    }
}
END_TEST

START_TEST(a_child_that_only_closes_leaves_the_parents_attached)
{
    uv_loop_t loop;
    int ends[2];
    sel_selector *sel = open_attached(_i, &loop, ends);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_close(sel));
        assert_ok(uv_loop_fork(&loop)); /* only now, to free what is left on it */
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_ok(uv_loop_close(&loop));
        _exit(0);
    }
    assert_parent_goes_on(pid, &loop, sel, ends);
}
END_TEST

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* A change made before the fork, which nobody tells the kernel in the child. */
START_TEST(a_childs_loop_sleeps_until_the_selector_follows)
{
    uv_loop_t loop;
    int ends[2];
    sel_selector *sel = open_attached(_i, &loop, ends);
    pid_t pid;

    assert_ok(sel_modify(sel, ends[0], 0, NULL, NULL));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        effort begun;
        uv_timer_t timer;

        assert_ok(uv_loop_fork(&loop));
        assert_ok(uv_timer_init(&loop, &timer));
        assert_ok(uv_timer_start(&timer, stop_loop, 50, 0));
        begun = measure_effort();
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_no_spin(begun, 1);
        uv_close((uv_handle_t *)&timer, NULL);
        assert_ok(sel_close(sel));
        assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
        assert_ok(uv_loop_close(&loop));
        _exit(0);
    }
    assert_ok(sel_modify(sel, ends[0], READ, take_and_unregister, "k"));
    assert_parent_goes_on(pid, &loop, sel, ends);
}
END_TEST

static void close_walked(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* As programs end: everything on the loop is closed, including the selector's handles. */
START_TEST(a_selector_outlives_the_handles_that_attached_it)
{
    for (int closed_first = 0; closed_first < 2; closed_first++) {
        uv_loop_t loop;
        int ends[2];
        sel_selector *sel = open_attached(_i, &loop, ends);

        uv_walk(&loop, close_walked, NULL);
        if (closed_first)
            ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_ok(sel_call_soon(sel, never, NULL));
        assert_ok(sel_unregister(sel, ends[0]));
        assert_ok(sel_close(sel));
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_ok(uv_loop_close(&loop));
        close_pair(ends);
    }
}
END_TEST

START_TEST(a_circle_is_refused_where_it_closes)
{
    uv_loop_t loop;
    int ends[2];
    sel_selector *sel = open_attached(_i, &loop, ends);
    sel_selector *alone = open_selector(_i);

    assert_error(sel_register(sel, uv_backend_fd(&loop), READ, NULL, NULL), ELOOP);
    assert_error(sel_get_key(sel, uv_backend_fd(&loop), NULL), ENOENT);
    assert_serves(&loop, ends[1]);
    close_both(&loop, sel);
    close_pair(ends);

    assert_error(sel_attach_loop(alone, sel_loop(alone)), ELOOP);
    assert_ok(sel_call_soon(alone, note, "a"));
    assert_ok(sel_run(alone));
    assert_noted("a");
    assert_ok(sel_close(alone));
}
END_TEST

/* The last key is removed inside a callback: the other selector's run must notice. */
START_TEST(a_selector_attached_to_anothers_loop_lets_it_end)
{
    for (int has_loop = 0; has_loop < 2; has_loop++) {
        sel_selector *outer = open_selector(_i), *inner = open_selector(_i);
        int ends[2];

        make_pipe(ends);
        assert_ok(sel_run_in_executor(inner, no_work, NULL, NULL));
        if (has_loop)
            ck_assert_ptr_nonnull(sel_loop(inner));
        assert_ok(sel_run(inner));
        assert_ok(sel_attach_loop(inner, sel_loop(outer)));
        assert_ok(sel_register(inner, ends[0], READ, take_and_unregister, "k"));
        put_byte(ends[1]);
        assert_ok(sel_run(outer));
        assert_noted("k");
        assert_ok(sel_close(inner));
        assert_ok(sel_close(outer));
        close_pair(ends);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attach_ends");
    TCase *tcase = new_tcase("attached: forks, foreign ends, circles");

    add_fileno_test(tcase, a_child_follows_with_the_loop_in_either_order);
    add_fileno_test(tcase, a_child_that_only_closes_leaves_the_parents_attached);
    add_fileno_test(tcase, a_childs_loop_sleeps_until_the_selector_follows);
    add_fileno_test(tcase, a_selector_outlives_the_handles_that_attached_it);
    add_fileno_test(tcase, a_circle_is_refused_where_it_closes);
    add_fileno_test(tcase, a_selector_attached_to_anothers_loop_lets_it_end);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
