/* SPDX-License-Identifier: MIT */
/*
 * Readers and writers on descriptors that can't have them, on numbers that stand for
 * another file by now, in a run, and across forks.
 */
#include "support/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

/* --- what is refused --- */

START_TEST(bad_arguments_are_einval_and_change_nothing)
{
    subject b = open_subject(_i);

    add_both(b.sel, b.fd, "r", "w");
    assert_error(sel_add_reader(NULL, b.fd, note, NULL), EINVAL);
    assert_error(sel_add_writer(NULL, b.fd, note, NULL), EINVAL);
    assert_error(sel_remove_reader(NULL, b.fd), EINVAL);
    assert_error(sel_remove_writer(NULL, b.fd), EINVAL);
    assert_error(sel_add_reader(b.sel, b.fd, NULL, NULL), EINVAL);
    assert_error(sel_add_writer(b.sel, b.fd, NULL, NULL), EINVAL);
    assert_error(sel_add_reader(b.sel, -1, note, NULL), EINVAL);
    assert_error(sel_remove_writer(b.sel, -1), EINVAL);
    pass_with(b.sel, b.fd);
    assert_noted("rw");
    close_subject(&b);
}
END_TEST

START_TEST(keys_of_the_programs_and_readers_refuse_each_other)
{
    subject b = open_subject(_i);

    assert_ok(sel_register(b.sel, b.fd, READ, note_ready, "k"));
    assert_error(sel_add_reader(b.sel, b.fd, note, "r"), EEXIST);
    assert_error(sel_add_writer(b.sel, b.fd, note, "w"), EEXIST);
    pass_with(b.sel, b.fd);
    assert_noted("k");
    assert_ok(sel_unregister(b.sel, b.fd));
    add_both(b.sel, b.fd, "r", "w");
    assert_error(sel_register(b.sel, b.fd, READ, note_ready, "k"), EEXIST);
    assert_error(sel_modify(b.sel, b.fd, READ, note_ready, "k"), EEXIST);
    assert_error(sel_modify(b.sel, b.fd, 0, NULL, NULL), EEXIST);
    pass_with(b.sel, b.fd);
    assert_noted("rw");
    close_subject(&b);
}
END_TEST

/* A key with that callback would have its data freed. */
START_TEST(the_librarys_callback_is_for_no_other_key)
{
    subject b = open_subject(_i);
    sel_selector *other = open_selector(_i);
    int fd = make_eventfd(0);
    sel_key key;

    assert_ok(sel_add_reader(b.sel, b.fd, note, "r"));
    assert_ok(sel_get_key(b.sel, b.fd, &key));
    assert_ok(sel_register(b.sel, fd, READ, record_call, NULL));
    assert_error(sel_modify(b.sel, fd, READ, key.callback, key.data), EINVAL);
    assert_error(sel_register(other, b.fd, READ, key.callback, key.data), EINVAL);
    assert_ok(sel_unregister(b.sel, b.fd));
    assert_error(sel_register(b.sel, b.fd, READ, key.callback, key.data), EINVAL);
    assert_ok(sel_close(other));
    close(fd);
    close_subject(&b);
}
END_TEST

static void assert_refused(sel_selector *sel, int fd, int error)
{
    assert_error(sel_add_reader(sel, fd, never, NULL), error);
    assert_error(sel_add_writer(sel, fd, never, NULL), error);
}

START_TEST(what_cannot_be_watched_is_refused_as_in_register)
{
    sel_selector *sel = open_selector(_i);
    int file = open_regular_file(), low = make_eventfd(0);

    assert_refused(sel, find_closed_descriptor(), EBADF);
    assert_refused(sel, file, EPERM);
    if (backend_at(_i) == SEL_BACKEND_SELECT && raise_descriptor_limit() > 1024) {
        int high = fcntl(low, F_DUPFD_CLOEXEC, 1024);

        assert_refused(sel, high, ERANGE);
        close(high);
    }
    close(low);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
    close(file);
}
END_TEST

/* --- a number that is another file now --- */

START_TEST(a_failed_add_leaves_the_other_direction_as_it_was)
{
    for (int known = 0; known < 2; known++) {
        subject b = open_subject(_i);
        int number = b.fd;

        assert_ok(sel_add_reader(b.sel, b.fd, note, "r"));
        close(number);
        if (known)
            ck_assert_int_eq(look(b.sel, number), 0);
        assert_refused(b.sel, number, EBADF);
        replace_by_regular_file(number);
        assert_refused(b.sel, number, EPERM);
        assert_error(sel_remove_writer(b.sel, number), ENOENT);
        ck_assert_int_eq(sel_get_map(b.sel, NULL, 0), 1);
        assert_quiet(b.sel, 0.004);
        assert_ok(sel_remove_reader(b.sel, number));
        ck_assert_int_eq(sel_get_map(b.sel, NULL, 0), 0);
        assert_ok(sel_run(b.sel));
        close_subject(&b);
    }
}
END_TEST

START_TEST(a_number_whose_file_was_replaced_is_taken)
{
    for (int known = 0; known < 2; known++) {
        subject b = open_subject(_i);
        int other_end = b.other_end;

        assert_ok(sel_add_reader(b.sel, b.fd, never, NULL));
        assert_ok(sel_add_writer(b.sel, b.fd, never, NULL));
        ck_assert_int_eq(wait_for(b.sel, b.fd), READ | WRITE);
        if (known) {
            close(b.fd);
            assert_refused(b.sel, b.fd, EBADF); /* and so finds it gone */
            replace_by_regular_file(b.fd);
        }
        b.other_end = replace_by_pipe(b.fd);
        assert_ok(sel_add_reader(b.sel, b.fd, note, "new"));
        ck_assert_int_eq(sel_dispatch(b.sel), 0);
        assert_error(sel_remove_writer(b.sel, b.fd), ENOENT);
        ck_assert_int_eq(sel_get_map(b.sel, NULL, 0), 1);
        pass_with(b.sel, b.fd);
        assert_noted("new");
        assert_ok(sel_remove_reader(b.sel, b.fd));
        assert_ok(sel_run(b.sel));
        close(other_end);
        close_subject(&b);
    }
}
END_TEST

START_TEST(what_is_gone_is_taken_whosever_it_was)
{
    subject b = open_subject(_i);
    int other_end = b.other_end, number = b.fd;
    sel_key key;

    assert_ok(sel_register(b.sel, number, READ, note_ready, "k"));
    replace_by_regular_file(number);
    assert_refused(b.sel, number, EPERM);
    assert_ok(sel_get_key(b.sel, number, &key)); /* a failed add changes nothing */
    ck_assert_ptr_eq(key.data, "k");
    b.other_end = replace_by_pipe(number);
    assert_ok(sel_add_reader(b.sel, number, note, "r"));
    pass_with(b.sel, number);
    assert_noted("r");
    close(b.other_end);
    b.other_end = replace_by_pipe(number);
    assert_error(sel_modify(b.sel, number, READ, note_ready, "k"), EEXIST);
    assert_ok(sel_register(b.sel, number, READ, note_ready, "k"));
    pass_with(b.sel, number);
    assert_noted("k");
    assert_error(sel_remove_reader(b.sel, number), ENOENT);
    close(other_end);
    close_subject(&b);
}
END_TEST

/* A descriptor that is gone is in no kernel set that could hear of a change. */
START_TEST(of_what_is_gone_each_can_be_removed)
{
    subject b = open_subject(_i);

    add_both(b.sel, b.fd, "r", "w");
    ck_assert_int_eq(wait_for(b.sel, b.fd), READ | WRITE);
    close(b.fd);
    assert_refused(b.sel, b.fd, EBADF);
    assert_ok(sel_remove_reader(b.sel, b.fd));
    ck_assert_int_eq(sel_dispatch(b.sel), 1);
    assert_noted("w");
    assert_quiet(b.sel, 0.004);
    assert_ok(sel_remove_writer(b.sel, b.fd));
    assert_ok(sel_run(b.sel));
    assert_ok(sel_close(b.sel));
    close(b.other_end);
}
END_TEST

/* --- the run, the end, forks --- */

static void take_and_remove(sel_selector *sel, void *data)
{
    const subject *b = data;

    take_byte(b->fd);
    assert_ok(sel_remove_reader(sel, b->fd));
}

static void write_and_remove(sel_selector *sel, void *data)
{
    const subject *b = data;

    put_byte(b->fd);
    assert_ok(sel_remove_writer(sel, b->fd));
}

START_TEST(a_run_goes_on_for_them)
{
    subject b = open_subject(_i);

    ck_assert_int_eq(sel_is_alive(b.sel), 0);
    assert_ok(sel_add_reader(b.sel, b.fd, take_and_remove, &b));
    assert_ok(sel_add_writer(b.sel, b.fd, write_and_remove, &b));
    ck_assert_int_eq(sel_is_alive(b.sel), 1);
    assert_ok(sel_run(b.sel));
    take_byte(b.other_end);
    ck_assert_int_eq(sel_is_alive(b.sel), 0);
    close_subject(&b);
}
END_TEST

static void close_refused(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_error(sel_close(sel), EBUSY);
    assert_error(sel_run(sel), EBUSY);
    assert_error(sel_select(sel, 0, NULL), EBUSY);
    assert_error(sel_dispatch(sel), EBUSY);
}

/* Leak checkers look at what is left. */
START_TEST(closing_forgets_them)
{
    subject b = open_subject(_i);
    int more[3] = {make_eventfd(0), make_eventfd(0), make_eventfd(0)};

    assert_ok(sel_add_reader(b.sel, b.fd, close_refused, NULL));
    pass_with(b.sel, b.fd);
    for (int i = 0; i < 3; i++)
        assert_ok(sel_add_writer(b.sel, more[i], never, NULL));
    assert_ok(sel_register(b.sel, b.other_end, READ, record_call, NULL));
    close(more[2]); /* one of them gone */
    close_subject(&b);
    close(more[0]);
    close(more[1]);
}
END_TEST

START_TEST(two_selectors_have_their_own)
{
    subject b = open_subject(_i);
    sel_selector *other = open_selector(_i);

    add_both(b.sel, b.fd, "r", "w");
    add_both(other, b.fd, "R", "W");
    pass_with(b.sel, b.fd);
    pass_with(other, b.fd);
    assert_noted("rwRW");
    assert_ok(sel_remove_reader(b.sel, b.fd));
    pass_with(b.sel, b.fd);
    pass_with(other, b.fd);
    assert_noted("wRW");
    assert_ok(sel_close(other));
    close_subject(&b);
}
END_TEST

static void follow(subject *b)
{
    assert_error(sel_add_reader(b->sel, b->fd, note, "r"), ECHILD);
    assert_error(sel_remove_writer(b->sel, b->fd), ECHILD);
    assert_ok(sel_after_fork(b->sel));
    pass_with(b->sel, b->fd);
    assert_noted("rw");
    assert_ok(sel_remove_writer(b->sel, b->fd));
    pass_with(b->sel, b->fd);
    assert_noted("r");
}

START_TEST(they_follow_a_fork)
{
    subject b = open_subject(_i);
    pid_t pid;

    add_both(b.sel, b.fd, "r", "w");
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        follow(&b);
        assert_ok(sel_close(b.sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    pass_with(b.sel, b.fd);
    assert_noted("rw");
    close_subject(&b);
}
END_TEST

static pid_t forked;

static void fork_once(sel_selector *sel, void *data)
{
    note(sel, data);
    if (forked >= 0)
        return;
    forked = fork();
    ck_assert_int_ge(forked, 0);
    if (forked == 0)
        assert_error(sel_after_fork(sel), EBUSY);
}

/* The rest of the pass is the parent's, the writer's turn too. */
START_TEST(in_a_child_that_a_reader_forks_the_writer_is_not_called)
{
    subject b = open_subject(_i);
    int called;

    forked = -1;
    assert_ok(sel_add_reader(b.sel, b.fd, fork_once, "r"));
    assert_ok(sel_add_writer(b.sel, b.fd, note, "w"));
    ck_assert_int_eq(wait_for(b.sel, b.fd), READ | WRITE);
    called = sel_dispatch(b.sel);
    if (forked == 0) {
        ck_assert_int_eq(called, -ECHILD);
        assert_noted("r");
        assert_ok(sel_after_fork(b.sel));
        pass_with(b.sel, b.fd);
        assert_noted("rw");
        assert_ok(sel_close(b.sel));
        _exit(0);
    }
    ck_assert_int_eq(called, 1);
    assert_noted("rw");
    assert_child_succeeds(forked);
    close_subject(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readers_files");
    TCase *tcase = new_tcase("readers_files");

    add_backend_test(tcase, bad_arguments_are_einval_and_change_nothing);
    add_backend_test(tcase, keys_of_the_programs_and_readers_refuse_each_other);
    add_backend_test(tcase, the_librarys_callback_is_for_no_other_key);
    add_backend_test(tcase, what_cannot_be_watched_is_refused_as_in_register);
    add_backend_test(tcase, a_failed_add_leaves_the_other_direction_as_it_was);
    add_backend_test(tcase, a_number_whose_file_was_replaced_is_taken);
    add_backend_test(tcase, what_is_gone_is_taken_whosever_it_was);
    add_backend_test(tcase, of_what_is_gone_each_can_be_removed);
    add_backend_test(tcase, a_run_goes_on_for_them);
    add_backend_test(tcase, closing_forgets_them);
    add_backend_test(tcase, two_selectors_have_their_own);
    add_backend_test(tcase, they_follow_a_fork);
    add_backend_test(tcase, in_a_child_that_a_reader_forks_the_writer_is_not_called);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
