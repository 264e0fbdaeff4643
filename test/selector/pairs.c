/* SPDX-License-Identifier: MIT */
/*
 * A pair never lies: whatever happens to a key after sel_select() has returned shows in
 * its pair, the array stays where it is, and nothing runs inside what is running.
 */
#include "support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

static const sel_ready *find_pair(const sel_ready *ready, int count, int fd)
{
    for (int i = 0; i < count; i++)
        if (ready[i].key.fd == fd)
            return &ready[i];
    ck_abort_msg("no pair for descriptor %d", fd);
}

START_TEST(an_unregistered_key_has_mask_0_for_good)
{
    sel_selector *sel = open_selector(_i);
    call_record first = {0}, second = {0};
    int fd = make_eventfd(1);
    const sel_ready *ready;

    assert_ok(sel_register(sel, fd, READ, record_call, &first));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    assert_ok(sel_unregister(sel, fd));
    ck_assert_int_eq(ready[0].mask, 0);
    assert_ok(sel_register(sel, fd, READ | WRITE, record_call, &second));
    ck_assert_int_eq(ready[0].mask, 0);
    assert_ok(sel_modify(sel, fd, READ, record_call, &second));
    ck_assert_int_eq(ready[0].mask, 0);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    ck_assert_int_eq(look(sel, fd), READ);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(first.calls, 0);
    ck_assert_int_eq(second.calls, 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(a_modified_key_shows_its_new_callback_and_data)
{
    sel_selector *sel = open_selector(_i);
    call_record before = {0}, after = {0};
    int ends[2];
    const sel_ready *ready;

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ | WRITE, NULL, &before));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    assert_ok(sel_modify(sel, ends[0], READ | WRITE, record_call, &after));
    ck_assert(ready[0].key.callback == record_call);
    ck_assert_ptr_eq(ready[0].key.data, &after);
    ck_assert_int_eq(ready[0].mask, READ | WRITE);
    assert_ok(sel_modify(sel, ends[0], WRITE, record_call, &after));
    ck_assert_int_eq(ready[0].key.events, WRITE);
    ck_assert_int_eq(ready[0].mask, WRITE);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(after.mask, WRITE);
    ck_assert_int_eq(before.calls, 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(events_that_were_not_collected_do_not_come_into_a_pair)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    assert_ok(sel_modify(sel, ends[0], READ | WRITE, NULL, NULL));
    ck_assert_int_eq(ready[0].mask, READ);
    ck_assert_int_eq(ready[0].key.events, READ | WRITE);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(a_paused_key_has_mask_0_and_is_not_called)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);
    const sel_ready *ready;

    assert_ok(sel_register(sel, fd, READ, record_call, &record));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    assert_ok(sel_modify(sel, fd, 0, record_call, &record));
    ck_assert_int_eq(ready[0].mask, 0);
    ck_assert_int_eq(ready[0].key.events, 0);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    ck_assert_int_eq(record.calls, 0);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(a_change_of_one_key_leaves_the_other_pairs_alone)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fds[50];
    const sel_ready *ready;

    for (int i = 0; i < 50; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, record_call, &record));
    }
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 50);
    for (int i = 0; i < 50; i += 2)
        assert_ok(sel_unregister(sel, fds[i]));
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(find_pair(ready, 50, fds[i])->mask, i % 2 == 0 ? 0 : READ);
    ck_assert_int_eq(sel_dispatch(sel), 25);
    assert_ok(sel_close(sel));
    for (int i = 0; i < 50; i++)
        close(fds[i]);
}
END_TEST

typedef struct {
    const sel_ready *ready;
    int count;
    int fds[10000]; /* made inside the callback */
} crowd;

/* Registers thousands while pairs and key are pointers into the same batch. */
static void register_crowd(sel_selector *sel, const sel_key *key, int mask)
{
    crowd *made = key->data;
    sel_ready copies[3];

    memcpy(copies, made->ready, sizeof copies);
    for (int i = 0; i < made->count; i++) {
        made->fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, made->fds[i], READ, NULL, NULL));
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(made->ready[i].key.fd, copies[i].key.fd);
        ck_assert_int_eq(made->ready[i].mask, copies[i].mask);
    }
    ck_assert_ptr_eq(key->data, made);
    ck_assert_int_eq(mask, READ);
    ck_assert_int_eq(sel_unregister(sel, key->fd), 0);
}

/*
 * A table that grows inside a callback while a pointer into it is held is the classic
 * bug of event loops.
 */
START_TEST(the_array_does_not_move_while_callbacks_register)
{
    sel_selector *sel = open_selector(_i);
    static crowd made;
    int fds[3];
    call_record record = {0};

    made.count = limit_count(sel, 10000);
    for (int i = 0; i < 3; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, record_call, &record));
    }
    assert_ok(sel_modify(sel, fds[1], READ, register_crowd, &made));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &made.ready), 3);
    ck_assert_int_eq(sel_dispatch(sel), 3);
    ck_assert_int_eq(record.calls, 2);
    ck_assert_int_eq(find_pair(made.ready, 3, fds[0])->mask, READ);
    ck_assert_int_eq(find_pair(made.ready, 3, fds[1])->mask, 0);
    ck_assert_int_eq(count_ready(sel), made.count + 2);
    assert_ok(sel_close(sel));
    for (int i = 0; i < made.count; i++)
        close(made.fds[i]);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

static void call_what_is_busy(sel_selector *sel, const sel_key *key, int mask)
{
    const sel_ready mark = {.mask = 0}, *ready = &mark;

    record_call(sel, key, mask);
    assert_error(sel_select(sel, 0, &ready), EBUSY);
    assert_error(sel_select(sel, SEL_FOREVER, &ready), EBUSY);
    ck_assert_ptr_eq(ready, &mark);
    assert_error(sel_dispatch(sel), EBUSY);
    assert_error(sel_close(sel), EBUSY);
}

START_TEST(select_dispatch_and_close_inside_a_callback_are_ebusy)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fds[2] = {make_eventfd(1), make_eventfd(1)};

    for (int i = 0; i < 2; i++)
        assert_ok(sel_register(sel, fds[i], READ, call_what_is_busy, &record));
    for (int round = 1; round <= 2; round++) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 2);
        ck_assert_int_eq(sel_dispatch(sel), 2);
        ck_assert_int_eq(record.calls, 2 * round);
    }
    assert_ok(sel_close(sel));
    close_pair(fds);
}
END_TEST

static void use_another_selector(sel_selector *sel, const sel_key *key, int mask)
{
    sel_selector *other = key->data;

    (void)sel;
    (void)mask;
    ck_assert_int_eq(count_ready(other), 1);
    ck_assert_int_eq(sel_dispatch(other), 1);
    assert_ok(sel_close(other));
}

START_TEST(another_selector_may_be_used_inside_a_callback)
{
    sel_selector *sel = open_selector(_i), *other = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(other, fd, READ, record_call, &record));
    assert_ok(sel_register(sel, fd, READ, use_another_selector, other));
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.calls, 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(a_second_dispatch_calls_nothing)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    ck_assert_int_eq(sel_dispatch(sel), 0); /* nor is one before any wait */
    assert_ok(sel_register(sel, fd, READ, record_call, &record));
    ck_assert_int_eq(sel_dispatch(sel), 0);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    ck_assert_int_eq(record.calls, 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(a_batch_that_was_not_dispatched_is_dropped_by_the_next_wait)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, record_call, &record));
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(read(fd, &(uint64_t){0}, 8), 8);
    ck_assert_int_eq(count_ready(sel), 0);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    ck_assert_int_eq(record.calls, 0);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(a_null_callback_is_passed_over_and_not_counted)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, i == 1 ? record_call : NULL, &record));
    }
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.calls, 1);
    assert_ok(sel_close(sel));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

/* Removes its own key, closes its descriptor and gives the number to another file. */
static void outlive_its_key(sel_selector *sel, const sel_key *key, int mask)
{
    int fd = key->fd, fds[200];

    record_call(sel, key, mask);
    assert_ok(sel_unregister(sel, fd));
    close(fd);
    ck_assert_int_eq(make_eventfd(0), fd);
    assert_ok(sel_register(sel, fd, WRITE, NULL, NULL));
    for (int i = 0; i < 200; i++) {
        fds[i] = make_eventfd(0);
        assert_ok(sel_register(sel, fds[i], READ, NULL, NULL));
    }
    for (int i = 0; i < 200; i++) {
        assert_ok(sel_unregister(sel, fds[i]));
        close(fds[i]);
    }
    ck_assert_int_eq(key->fd, fd);
    ck_assert(key->callback == NULL);
    ((call_record *)key->data)->calls += 10;
}

START_TEST(a_key_is_readable_until_its_callback_returns)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, outlive_its_key, &record));
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.calls, 11);
    ck_assert_int_eq(look(sel, fd), WRITE);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pairs");
    TCase *tcase = new_tcase("a pair never lies");

    add_backend_test(tcase, an_unregistered_key_has_mask_0_for_good);
    add_backend_test(tcase, a_modified_key_shows_its_new_callback_and_data);
    add_backend_test(tcase, events_that_were_not_collected_do_not_come_into_a_pair);
    add_backend_test(tcase, a_paused_key_has_mask_0_and_is_not_called);
    add_backend_test(tcase, a_change_of_one_key_leaves_the_other_pairs_alone);
    add_backend_test(tcase, the_array_does_not_move_while_callbacks_register);
    add_backend_test(tcase, select_dispatch_and_close_inside_a_callback_are_ebusy);
    add_backend_test(tcase, another_selector_may_be_used_inside_a_callback);
    add_backend_test(tcase, a_second_dispatch_calls_nothing);
    add_backend_test(tcase, a_batch_that_was_not_dispatched_is_dropped_by_the_next_wait);
    add_backend_test(tcase, a_null_callback_is_passed_over_and_not_counted);
    add_backend_test(tcase, a_key_is_readable_until_its_callback_returns);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
