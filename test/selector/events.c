/* SPDX-License-Identifier: MIT */
/*
 * What is watched is what is reported: masks, changes of masks and pauses. Every kind
 * of descriptor in every condition has its own tests; this file has what holds for all
 * of them.
 */
#include "support/support.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, EXCEPT = SEL_EVENT_EXCEPT };

/*
 * A watcher for only one event can't show what it forgets, and one for both can't show
 * a mix-up.
 */
START_TEST(each_mask_reports_its_own_events_and_no_other)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    for (int events = 1; events <= EVERY_EVENT; events++) {
        assert_ok(sel_register(sel, ends[0], events, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), events & (READ | WRITE));
        ck_assert_int_eq(look(sel, ends[0]), events & (READ | WRITE));
        assert_ok(sel_unregister(sel, ends[0]));
    }
    fill(ends[0]);
    for (int events = 1; events <= EVERY_EVENT; events++) {
        assert_ok(sel_register(sel, ends[0], events, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), events & READ);
        assert_ok(sel_unregister(sel, ends[0]));
    }
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void assert_change(sel_selector *sel, int fd, int from, int to, bool waited)
{
    sel_key key;

    assert_ok(sel_register(sel, fd, from, NULL, NULL));
    if (waited)
        ck_assert_int_eq(look(sel, fd), from & (READ | WRITE));
    assert_ok(sel_modify(sel, fd, to, record_call, &key));
    assert_ok(sel_get_key(sel, fd, &key));
    ck_assert_int_eq(key.events, to);
    ck_assert(key.callback == record_call);
    ck_assert_ptr_eq(key.data, &key);
    ck_assert_int_eq(look(sel, fd), to & (READ | WRITE));
    assert_ok(sel_modify(sel, fd, from, NULL, NULL));
    ck_assert_int_eq(look(sel, fd), from & (READ | WRITE));
    assert_ok(sel_unregister(sel, fd));
}

START_TEST(every_change_of_mask_is_seen_by_the_next_wait)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    for (int from = 1; from <= EVERY_EVENT; from++)
        for (int to = 0; to <= EVERY_EVENT; to++)
            for (int waited = 0; waited <= 1; waited++)
                assert_change(sel, ends[0], from, to, waited);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(a_change_that_was_undone_leaves_all_as_it_was)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    for (int round = 0; round < 100; round++) {
        assert_ok(sel_modify(sel, ends[0], READ | WRITE, NULL, NULL));
        assert_ok(sel_modify(sel, ends[0], 0, NULL, NULL));
        assert_ok(sel_modify(sel, ends[0], READ, NULL, NULL));
        if (round % 10 == 0)
            ck_assert_int_eq(look(sel, ends[0]), READ);
    }
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(register_takes_no_pause_and_modify_does)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);
    sel_key key;

    assert_error(sel_register(sel, fd, 0, NULL, NULL), EINVAL);
    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    assert_ok(sel_modify(sel, fd, 0, NULL, &fd));
    assert_ok(sel_get_key(sel, fd, &key));
    ck_assert_int_eq(key.events, 0);
    ck_assert_ptr_eq(key.data, &fd);
    ck_assert_int_eq(sel_get_map(sel, &key, 1), 1);
    ck_assert_int_eq(key.events, 0);
    assert_error(sel_register(sel, fd, READ, NULL, NULL), EEXIST);
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/* epoll reports EPOLLHUP and EPOLLERR whatever was asked for. */
START_TEST(a_paused_key_is_silent_about_a_hang_up_and_nothing_spins)
{
    sel_selector *sel = open_selector(_i);
    int reader[2], writer[2], sockets[2];

    make_pipe(reader);
    make_pipe(writer);
    make_socketpair(sockets);
    assert_ok(sel_register(sel, reader[0], READ, NULL, NULL));
    assert_ok(sel_register(sel, writer[1], WRITE, NULL, NULL));
    assert_ok(sel_register(sel, sockets[0], READ | WRITE | EXCEPT, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    assert_ok(sel_modify(sel, reader[0], 0, NULL, NULL));
    assert_ok(sel_modify(sel, writer[1], 0, NULL, NULL));
    assert_ok(sel_modify(sel, sockets[0], 0, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 0);
    close(reader[1]);
    close(writer[0]);
    close(sockets[1]);
    for (int round = 0; round < 3; round++)
        assert_quiet(sel, 0.02);

    assert_ok(sel_modify(sel, reader[0], READ, NULL, NULL));
    assert_ok(sel_modify(sel, writer[1], WRITE, NULL, NULL));
    assert_ok(sel_modify(sel, sockets[0], EVERY_EVENT, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(look(sel, reader[0]), READ);
        ck_assert_int_eq(look(sel, writer[1]), WRITE);
        ck_assert_int_eq(look(sel, sockets[0]), EVERY_EVENT);
    }
    assert_ok(sel_close(sel));
    close(reader[0]);
    close(writer[1]);
    close(sockets[0]);
}
END_TEST

/* Paused after the hang-up: nothing will ever announce it again. */
START_TEST(a_key_paused_after_its_hang_up_tells_it_when_resumed)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], other = make_eventfd(0);

    make_pipe(ends);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    assert_ok(sel_register(sel, other, READ, NULL, NULL));
    close(ends[1]);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(look(sel, ends[0]), READ);
        assert_ok(sel_modify(sel, ends[0], 0, NULL, NULL));
        assert_quiet(sel, 0.01);
        ck_assert_int_eq(write(other, &(uint64_t){1}, 8), 8);
        ck_assert_int_eq(wait_for(sel, other), READ);
        ck_assert_int_eq(read(other, &(uint64_t){0}, 8), 8);
        assert_quiet(sel, 0.01);
        assert_ok(sel_modify(sel, ends[0], READ, NULL, NULL));
    }
    assert_ok(sel_close(sel));
    close(ends[0]);
    close(other);
}
END_TEST

/* When send() returns, the byte has been sent but may not have arrived here yet. */
static void receive_urgent_byte(sel_selector *sel, int ends[2])
{
    make_tcp_pair(ends);
    ck_assert_int_eq(send(ends[1], "!", 1, MSG_OOB), 1);
    assert_ok(sel_register(sel, ends[0], EXCEPT, NULL, NULL));
    ck_assert_int_eq(wait_for(sel, ends[0]), EXCEPT);
}

START_TEST(an_urgent_byte_alone_is_except_and_nothing_else)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    receive_urgent_byte(sel, ends);
    for (int events = 0; events <= EVERY_EVENT; events++) {
        assert_ok(sel_modify(sel, ends[0], events, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), events & (EXCEPT | WRITE));
    }
    put_byte(ends[1]); /* with ordinary data beside it, it is READ again */
    assert_ok(sel_modify(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(wait_for(sel, ends[0]), READ);
    assert_ok(sel_modify(sel, ends[0], EVERY_EVENT, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), EVERY_EVENT);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(a_hang_up_is_reported_by_every_call_while_it_lasts)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 0);
    close(ends[1]);
    for (int events = 1; events <= EVERY_EVENT; events++) {
        assert_ok(sel_modify(sel, ends[0], events, NULL, NULL));
        for (int round = 0; round < 100; round++)
            ck_assert_int_eq(look(sel, ends[0]), events);
    }
    assert_ok(sel_close(sel));
    close(ends[0]);
}
END_TEST

START_TEST(a_key_that_comes_back_is_watched_for_its_new_events)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    for (int round = 0; round < 50; round++) {
        int first = round % EVERY_EVENT + 1, second = round % 5 + 1;

        assert_ok(sel_register(sel, ends[0], first, NULL, NULL));
        if (round % 3 == 0)
            count_ready(sel);
        assert_ok(sel_unregister(sel, ends[0]));
        if (round % 2 == 0)
            ck_assert_int_eq(count_ready(sel), 0);
        assert_ok(sel_register(sel, ends[0], second, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), second & (READ | WRITE));
        assert_ok(sel_unregister(sel, ends[0]));
    }
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tcase = new_tcase("masks and pauses");

    add_backend_test(tcase, each_mask_reports_its_own_events_and_no_other);
    add_backend_test(tcase, every_change_of_mask_is_seen_by_the_next_wait);
    add_backend_test(tcase, a_change_that_was_undone_leaves_all_as_it_was);
    add_backend_test(tcase, register_takes_no_pause_and_modify_does);
    add_backend_test(tcase, a_paused_key_is_silent_about_a_hang_up_and_nothing_spins);
    add_backend_test(tcase, a_key_paused_after_its_hang_up_tells_it_when_resumed);
    add_backend_test(tcase, an_urgent_byte_alone_is_except_and_nothing_else);
    add_backend_test(tcase, a_hang_up_is_reported_by_every_call_while_it_lasts);
    add_backend_test(tcase, a_key_that_comes_back_is_watched_for_its_new_events);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
