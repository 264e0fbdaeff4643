/* SPDX-License-Identifier: MIT */
/*
 * A selector in a forked child: refused until sel_after_fork(), the child's own from
 * then on, and nothing that the child does is felt in the parent. A shared epoll set
 * breaks that in asyncio, libuv, libevent and Redis's ae: a child that unregisters a
 * descriptor removes it from its parent's set too.
 */
#include "support/support.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, KEYS = 40, HIGHEST = 240 };

/* Half of the keys are ready; both processes have them. */
typedef struct {
    sel_selector *sel;
    int fds[KEYS];
    int ready;
} shared;

static shared open_shared(int i)
{
    shared made = {.sel = open_selector(i), .ready = KEYS / 2};

    for (int j = 0; j < KEYS; j++) {
        made.fds[j] = make_eventfd(j % 2 == 0);
        assert_ok(sel_register(made.sel, made.fds[j], READ, record_call, NULL));
    }
    ck_assert_int_eq(count_ready(made.sel), made.ready);
    return made;
}

static void close_shared(const shared *made)
{
    assert_ok(sel_close(made->sel));
    for (int j = 0; j < KEYS; j++)
        close(made->fds[j]);
}

static void assert_whole(const shared *made)
{
    ck_assert_int_eq(sel_get_map(made->sel, NULL, 0), KEYS);
    for (int round = 0; round < 3; round++)
        ck_assert_int_eq(count_ready(made->sel), made->ready);
    for (int j = 0; j < KEYS; j++)
        ck_assert_int_eq(look(made->sel, made->fds[j]), j % 2 == 0 ? READ : 0);
}

/* Run `body` in a child, to its end, while the parent waits. */
static void in_child(void (*body)(shared *made), shared *made)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        body(made);
        _exit(0);
    }
    assert_child_succeeds(pid);
}

static void expect_echild(shared *made)
{
    sel_selector *sel = made->sel;
    const sel_ready *ready = NULL;
    sel_key key = {.fd = -7};

    assert_error(sel_register(sel, made->fds[0], READ, NULL, NULL), ECHILD);
    assert_error(sel_modify(sel, made->fds[0], 0, NULL, NULL), ECHILD);
    assert_error(sel_unregister(sel, made->fds[0]), ECHILD);
    assert_error(sel_select(sel, 0, &ready), ECHILD);
    assert_error(sel_select(sel, SEL_FOREVER, &ready), ECHILD);
    assert_error(sel_dispatch(sel), ECHILD);
    assert_error(sel_get_key(sel, made->fds[0], &key), ECHILD);
    assert_error(sel_get_map(sel, &key, 1), ECHILD);
    assert_error(sel_fileno(sel), ECHILD);
    assert_error(sel_wakeup(sel), ECHILD);
    ck_assert_ptr_null(ready);
    ck_assert_int_eq(key.fd, -7);
}

START_TEST(before_after_fork_every_call_of_the_child_is_echild)
{
    shared made = open_shared(_i);

    in_child(expect_echild, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

static void close_at_once(shared *made)
{
    assert_ok(sel_close(made->sel));
    for (int j = 0; j < KEYS; j++)
        ck_assert(is_open(made->fds[j]));
}

START_TEST(a_close_in_the_child_leaves_the_parents_selector_working)
{
    shared made = open_shared(_i);

    in_child(close_at_once, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

/* More than one of libuv's loops holds. */
START_TEST(a_child_with_a_crowd_closes_it_without_following)
{
    enum { CROWD = 2000 };
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, CROWD), fds[CROWD];
    pid_t pid;

    for (int j = 0; j < count; j++) {
        fds[j] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[j], READ, NULL, NULL));
    }
    ck_assert_int_eq(count_ready(sel), count);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_close(sel));
        ck_assert(is_open(fds[count - 1]));
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(count_ready(sel), count);
    assert_ok(sel_close(sel));
    for (int j = 0; j < count; j++)
        close(fds[j]);
}
END_TEST

static void use_as_own(shared *made)
{
    sel_key keys[KEYS];

    assert_ok(sel_after_fork(made->sel));
    ck_assert_int_eq(sel_get_map(made->sel, keys, KEYS), KEYS);
    for (int j = 0; j < KEYS; j++) {
        ck_assert_int_eq(keys[j].events, READ);
        ck_assert(keys[j].callback == record_call);
    }
    assert_whole(made);
    assert_ok(sel_after_fork(made->sel)); /* once more changes nothing */
    assert_whole(made);
    assert_ok(sel_close(made->sel));
}

START_TEST(after_after_fork_the_child_has_the_keys_it_had)
{
    shared made = open_shared(_i);

    in_child(use_as_own, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

/* Where a child has none of its parent's sets, the second gets what was the first one's number. */
static void follow_the_second_first(shared made[2])
{
    int fd;

    assert_ok(sel_after_fork(made[1].sel));
    fd = make_eventfd(1);
    assert_ok(sel_register(made[1].sel, fd, READ, NULL, NULL));
    assert_ok(sel_after_fork(made[0].sel));
    assert_whole(&made[0]);
    assert_ok(sel_close(made[0].sel));
    ck_assert_int_eq(look(made[1].sel, fd), READ);
    assert_ok(sel_close(made[1].sel));
    close(fd);
}

START_TEST(of_two_selectors_the_second_may_follow_first)
{
    shared made[2] = {open_shared(_i), open_shared(_i)};

    in_child(follow_the_second_first, made);
    for (int i = 0; i < 2; i++) {
        assert_whole(&made[i]);
        close_shared(&made[i]);
    }
}
END_TEST

static int lowest; /* the first number that a selector got */

/*
 * A daemon that closes all it has. The first to follow gets the numbers of the other's
 * descriptors, which must not take them for its own. `uv` can't follow then.
 */
static void close_all_and_follow(shared made[2])
{
    sel_selector *first = made[0].sel, *second = made[1].sel;
    int error;

    for (int fd = lowest; fd < HIGHEST; fd++)
        close(fd);
    move_descriptor(make_eventfd(1), HIGHEST);
    assert_ok(sel_after_fork(first));
    error = sel_after_fork(second);
    ck_assert(error == 0 || error == -EBADF);
    assert_ok(sel_register(first, HIGHEST, READ, NULL, NULL));
    if (error == 0) {
        assert_ok(sel_register(second, HIGHEST, READ, NULL, NULL));
        ck_assert_int_eq(look(second, HIGHEST), READ);
    }
    ck_assert_int_eq(look(first, HIGHEST), READ);
    assert_ok(sel_close(second));
    ck_assert_int_eq(look(first, HIGHEST), READ);
    assert_ok(sel_unregister(first, HIGHEST));
    assert_ok(sel_wakeup(first));
    ck_assert_int_eq(sel_select(first, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(first));
    ck_assert_int_eq(find_closed_descriptor(), lowest);
}

START_TEST(of_two_that_lost_their_descriptors_none_takes_the_others)
{
    for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) {
        shared first, second;

        lowest = find_closed_descriptor();
        second = open_shared(_i);
        first = open_shared(i);
        if (backend_at(i) != SEL_BACKEND_UV)
            in_child(close_all_and_follow, (shared[]){first, second});
        close_shared(&first);
        close_shared(&second);
    }
}
END_TEST

static void change_everything(shared *made)
{
    int fd = make_eventfd(1);

    assert_ok(sel_after_fork(made->sel));
    for (int j = 0; j < KEYS; j++) {
        if (j % 4 == 0)
            assert_ok(sel_unregister(made->sel, made->fds[j]));
        else
            assert_ok(sel_modify(made->sel, made->fds[j], j % 3 == 0 ? 0 : WRITE, NULL,
                                 NULL));
    }
    assert_ok(sel_register(made->sel, fd, READ, NULL, NULL));
    ck_assert_int_eq(look(made->sel, fd), READ);
    for (int j = 0; j < KEYS; j++)
        ck_assert_int_eq(look(made->sel, made->fds[j]),
                         j % 4 == 0 || j % 3 == 0 ? 0 : WRITE);
    assert_ok(sel_close(made->sel));
    close(fd);
}

START_TEST(what_the_child_changes_the_parent_does_not_feel)
{
    shared made = open_shared(_i);

    in_child(change_everything, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

static void close_all_descriptors(shared *made)
{
    for (int j = 0; j < KEYS; j++)
        close(made->fds[j]);
    assert_ok(sel_after_fork(made->sel));
    ck_assert_int_eq(sel_get_map(made->sel, NULL, 0), KEYS);
    ck_assert_int_eq(count_ready(made->sel), 0);
    for (int j = 0; j < KEYS; j++)
        assert_ok(sel_unregister(made->sel, made->fds[j]));
    ck_assert_int_eq(sel_get_map(made->sel, NULL, 0), 0);
    assert_ok(sel_wakeup(made->sel));
    ck_assert_int_eq(sel_select(made->sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(made->sel));
}

/* What after_fork opens gets the numbers of the closed keys. */
START_TEST(keys_whose_descriptors_the_child_closed_do_no_harm)
{
    shared made = open_shared(_i);

    in_child(close_all_descriptors, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

/* What the parent had changed and the kernel had not heard of yet. */
static void see_pending_changes(shared *made)
{
    assert_ok(sel_after_fork(made->sel));
    ck_assert_int_eq(count_ready(made->sel), KEYS - 2);
    ck_assert_int_eq(look(made->sel, made->fds[0]), 0);
    ck_assert_int_eq(look(made->sel, made->fds[1]), WRITE);
    assert_ok(sel_modify(made->sel, made->fds[0], READ, NULL, NULL));
    ck_assert_int_eq(look(made->sel, made->fds[0]), READ);
    assert_ok(sel_close(made->sel));
}

START_TEST(changes_that_no_wait_has_told_yet_reach_both)
{
    shared made = open_shared(_i);

    assert_ok(sel_modify(made.sel, made.fds[0], 0, NULL, NULL));
    assert_ok(sel_unregister(made.sel, made.fds[2]));
    for (int j = 1; j < KEYS; j += 2)
        assert_ok(sel_modify(made.sel, made.fds[j], WRITE, NULL, NULL));
    in_child(see_pending_changes, &made);
    ck_assert_int_eq(count_ready(made.sel), KEYS - 2);
    ck_assert_int_eq(look(made.sel, made.fds[0]), 0);
    ck_assert_int_eq(look(made.sel, made.fds[1]), WRITE);
    close_shared(&made);
}
END_TEST

static void wake_itself(shared *made)
{
    assert_ok(sel_after_fork(made->sel));
    assert_ok(sel_wakeup(made->sel));
    ck_assert_int_eq(sel_select(made->sel, SEL_FOREVER, NULL), 0);
    assert_quiet(made->sel, 0.01);
    assert_ok(sel_wakeup(made->sel)); /* left pending: nobody else's business */
    assert_ok(sel_close(made->sel));
}

static void be_woken_by_nobody(shared *made)
{
    assert_ok(sel_after_fork(made->sel));
    assert_quiet(made->sel, 0.02);
    assert_ok(sel_close(made->sel));
}

START_TEST(wakeups_do_not_cross)
{
    shared made = {.sel = open_selector(_i)};
    pid_t pid;

    in_child(wake_itself, &made);
    assert_quiet(made.sel, 0.02);

    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        be_woken_by_nobody(&made);
        _exit(0);
    }
    for (int round = 0; round < 200; round++) {
        assert_ok(sel_wakeup(made.sel));
        ck_assert_int_eq(sel_select(made.sel, SEL_FOREVER, NULL), 0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_close(made.sel));
}
END_TEST

static void fork_again(shared *made)
{
    in_child(expect_echild, made);
    in_child(use_as_own, made); /* its parent never did */
    assert_ok(sel_after_fork(made->sel));
    in_child(expect_echild, made);
    in_child(change_everything, made);
    assert_whole(made);
    assert_ok(sel_close(made->sel));
}

START_TEST(a_childs_child_is_a_child_like_any_other)
{
    shared made = open_shared(_i);

    in_child(fork_again, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

static int count_before_open;

static void leave_no_descriptor(shared *made)
{
    assert_ok(sel_after_fork(made->sel));
    assert_whole(made);
    sel_fileno(made->sel);
    close_shared(made);
    ck_assert_int_eq(count_descriptors(), count_before_open);
}

static void leave_none_without_after_fork(shared *made)
{
    close_shared(made);
    ck_assert_int_eq(count_descriptors(), count_before_open);
}

START_TEST(close_in_the_child_leaves_no_descriptor_of_either_behind)
{
    shared made;

    count_before_open = count_descriptors();
    made = open_shared(_i);
    sel_fileno(made.sel);
    in_child(leave_no_descriptor, &made);
    in_child(leave_none_without_after_fork, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

START_TEST(without_a_fork_after_fork_changes_nothing)
{
    shared made = open_shared(_i);
    int fileno = sel_fileno(made.sel);

    assert_ok(sel_after_fork(made.sel));
    ck_assert_int_eq(sel_fileno(made.sel), fileno);
    assert_ok(sel_wakeup(made.sel));
    assert_ok(sel_after_fork(made.sel));
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

static void watch_own_fileno(shared *made)
{
    int fd = make_eventfd(0);
    struct pollfd polled = {.events = POLLIN};

    assert_ok(sel_after_fork(made->sel));
    for (int j = 0; j < KEYS; j++)
        assert_ok(sel_unregister(made->sel, made->fds[j]));
    assert_ok(sel_register(made->sel, fd, READ, NULL, NULL));
    polled.fd = sel_fileno(made->sel);
    ck_assert_int_eq(count_ready(made->sel), 0);
    ck_assert_int_eq(poll(&polled, 1, 0), 0);
    ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
    ck_assert_int_eq(poll(&polled, 1, 5000), 1);
    ck_assert_int_eq(look(made->sel, fd), READ);
    assert_ok(sel_close(made->sel));
    close(fd);
}

/* uv and epoll: with the parent's made before the fork, and without. */
START_TEST(the_childs_fileno_is_its_own)
{
    shared made = open_shared(_i);

    in_child(watch_own_fileno, &made);
    ck_assert_int_ge(sel_fileno(made.sel), 0);
    in_child(watch_own_fileno, &made);
    assert_whole(&made);
    close_shared(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork");
    TCase *tcase = new_tcase("parent and child");

    add_backend_test(tcase, before_after_fork_every_call_of_the_child_is_echild);
    add_backend_test(tcase, a_close_in_the_child_leaves_the_parents_selector_working);
    add_backend_test(tcase, a_child_with_a_crowd_closes_it_without_following);
    add_backend_test(tcase, after_after_fork_the_child_has_the_keys_it_had);
    add_backend_test(tcase, of_two_selectors_the_second_may_follow_first);
    add_backend_test(tcase, of_two_that_lost_their_descriptors_none_takes_the_others);
    add_backend_test(tcase, what_the_child_changes_the_parent_does_not_feel);
    add_backend_test(tcase, keys_whose_descriptors_the_child_closed_do_no_harm);
    add_backend_test(tcase, changes_that_no_wait_has_told_yet_reach_both);
    add_backend_test(tcase, wakeups_do_not_cross);
    add_backend_test(tcase, a_childs_child_is_a_child_like_any_other);
    add_backend_test(tcase, close_in_the_child_leaves_no_descriptor_of_either_behind);
    add_backend_test(tcase, without_a_fork_after_fork_changes_nothing);
    add_fileno_test(tcase, the_childs_fileno_is_its_own);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
