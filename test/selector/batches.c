/* SPDX-License-Identifier: MIT */
/*
 * One sel_select() and the sel_dispatch() after it: what a batch holds, and what
 * callbacks may do to the rest of it. Nobody promises the order of a batch, so a test
 * that needs one lets whichever callback comes first act.
 */
#include "support/support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

/*
 * libuv takes 1024 events at a time and, as long as that many come, asks again, up to
 * 48 times: a callback that only notes them would get each one 48 times.
 */
START_TEST(ten_thousand_ready_are_ten_thousand_pairs_of_one_call)
{
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, 10000), first = make_eventfd(1);
    bool *seen = calloc((size_t)count + 1000, sizeof *seen);
    const sel_ready *ready;

    ck_assert_ptr_nonnull(seen);
    for (int i = 0; i < count; i++)
        assert_ok(sel_register(sel, i == 0 ? first : make_eventfd(1), READ, NULL, NULL));
    for (int round = 1; round <= 3; round++) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), count);
        for (int i = 0; i < count; i++) {
            ck_assert_int_eq(ready[i].mask, READ);
            ck_assert_int_lt(ready[i].key.fd, count + 1000);
            ck_assert_int_eq(seen[ready[i].key.fd], round % 2 == 0);
            seen[ready[i].key.fd] = round % 2 == 1;
        }
    }
    assert_ok(sel_close(sel));
    for (int fd = 0; fd < count + 1000; fd++)
        if (seen[fd])
            close(fd);
    free(seen);
}
END_TEST

START_TEST(read_and_write_are_one_pair)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ | WRITE, NULL, NULL));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    ck_assert_int_eq(ready[0].mask, READ | WRITE);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(unread_data_is_reported_a_thousand_times_running)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int ends[2];

    make_pipe(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, record_call, &record));
    for (int i = 1; i <= 1000; i++) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        ck_assert_int_eq(record.calls, i);
    }
    take_byte(ends[0]);
    ck_assert_int_eq(count_ready(sel), 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* Keys that act on one another: each one's data is the table that holds it. */
typedef struct {
    int fds[3];
    int calls;
    call_record later; /* for keys that were made inside a callback */
} neighbours;

static neighbours register_neighbours(sel_selector *sel, int count,
                                      sel_callback *callback, neighbours *table)
{
    neighbours made = {.fds = {-1, -1, -1}};

    for (int i = 0; i < count; i++) {
        made.fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, made.fds[i], READ, callback, table));
    }
    return made;
}

static void close_neighbours(const neighbours *table)
{
    for (int i = 0; i < 3; i++)
        if (table->fds[i] >= 0)
            close(table->fds[i]);
}

static void unregister_others(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    ck_assert_int_eq(mask, READ);
    table->calls++;
    for (int i = 0; i < 3; i++)
        if (table->fds[i] != key->fd)
            assert_ok(sel_unregister(sel, table->fds[i]));
}

START_TEST(a_key_unregistered_in_the_same_batch_is_not_called)
{
    sel_selector *sel = open_selector(_i);
    neighbours table;

    table = register_neighbours(sel, 3, unregister_others, &table);
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(table.calls, 1);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
    ck_assert_int_eq(count_ready(sel), 1);
    assert_ok(sel_close(sel));
    close_neighbours(&table);
}
END_TEST

static void unregister_all(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    (void)mask;
    table->calls++;
    for (int i = 0; i < 3; i++)
        sel_unregister(sel, table->fds[i]); /* earlier ones, later ones, itself */
}

static void unregister_itself(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    (void)mask;
    table->calls++;
    assert_ok(sel_unregister(sel, key->fd));
}

START_TEST(a_callback_may_remove_itself_and_the_others)
{
    sel_selector *sel = open_selector(_i);
    neighbours table;

    table = register_neighbours(sel, 3, unregister_itself, &table);
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 3);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    ck_assert_int_eq(count_ready(sel), 0);
    close_neighbours(&table);

    table = register_neighbours(sel, 3, unregister_all, &table);
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close_neighbours(&table);
}
END_TEST

/* The first one called closes the two others; their numbers come back at once. */
static void replace_others(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    (void)mask;
    table->calls++;
    for (int i = 0; i < 3; i++) {
        if (table->fds[i] == key->fd)
            continue;
        move_descriptor(make_eventfd(1), table->fds[i]);
        assert_ok(sel_unregister(sel, table->fds[i]));
        assert_ok(sel_register(sel, table->fds[i], READ, record_call, &table->later));
    }
}

/*
 * redis #333 and #4877, libuv #1148: events collected for a closed connection were
 * delivered to the one that got its number.
 */
START_TEST(a_number_that_comes_back_in_the_same_batch_has_no_stale_call)
{
    sel_selector *sel = open_selector(_i);
    neighbours table;

    table = register_neighbours(sel, 3, replace_others, &table);
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(table.calls, 1);
    ck_assert_int_eq(table.later.calls, 0);
    for (int i = 0; i < 3; i++) /* the one whose turn it was has done its part */
        assert_ok(sel_modify(sel, table.fds[i], READ, record_call, &table.later));
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 3);
    ck_assert_int_eq(table.later.calls, 3);
    assert_ok(sel_close(sel));
    close_neighbours(&table);
}
END_TEST

static void drop_write(sel_selector *sel, const sel_key *key, int mask)
{
    record_call(sel, key, mask);
    assert_ok(sel_modify(sel, key->fd, READ, key->callback, key->data));
}

START_TEST(a_key_that_drops_write_is_not_called_for_it_again)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], READ | WRITE, drop_write, &record));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.mask, WRITE);
    ck_assert_int_eq(count_ready(sel), 0);
    put_byte(ends[1]);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.mask, READ);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void drop_write_of_others(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    table->calls++;
    ck_assert_int_eq(mask, table->calls == 1 ? READ | WRITE : READ);
    for (int i = 0; i < 3; i++)
        if (table->fds[i] != key->fd)
            assert_ok(sel_modify(sel, table->fds[i], READ, key->callback, table));
}

START_TEST(what_an_earlier_callback_drops_a_later_one_is_not_called_for)
{
    sel_selector *sel = open_selector(_i);
    neighbours table;

    table = register_neighbours(sel, 3, drop_write_of_others, &table);
    for (int i = 0; i < 3; i++)
        assert_ok(sel_modify(sel, table.fds[i], READ | WRITE, drop_write_of_others,
                             &table));
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 3);
    ck_assert_int_eq(table.calls, 3);
    assert_ok(sel_close(sel));
    close_neighbours(&table);
}
END_TEST

static void pause_others(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    (void)mask;
    table->calls++;
    for (int i = 0; i < 3; i++)
        if (table->fds[i] != key->fd)
            assert_ok(sel_modify(sel, table->fds[i], 0, key->callback, table));
}

START_TEST(a_key_paused_in_the_same_batch_is_not_called)
{
    sel_selector *sel = open_selector(_i);
    neighbours table;

    table = register_neighbours(sel, 3, pause_others, &table);
    ck_assert_int_eq(count_ready(sel), 3);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(table.calls, 1);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 3);
    ck_assert_int_eq(count_ready(sel), 1);
    assert_ok(sel_close(sel));
    close_neighbours(&table);
}
END_TEST

static void register_ready_one(sel_selector *sel, const sel_key *key, int mask)
{
    neighbours *table = key->data;

    (void)mask;
    table->calls++;
    table->fds[1] = make_eventfd(1);
    assert_ok(sel_register(sel, table->fds[1], READ, record_call, &table->later));
    assert_ok(sel_modify(sel, key->fd, 0, NULL, NULL));
}

START_TEST(what_a_callback_registers_is_called_in_the_next_pass)
{
    sel_selector *sel = open_selector(_i);
    neighbours table;

    table = register_neighbours(sel, 1, register_ready_one, &table);
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(table.later.calls, 0);
    ck_assert_int_eq(sel_dispatch(sel), 0); /* not before it was collected */
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(table.later.calls, 1);
    assert_ok(sel_close(sel));
    close_neighbours(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batches");
    TCase *tcase = new_tcase("one wait and its callbacks");

    add_backend_test(tcase, ten_thousand_ready_are_ten_thousand_pairs_of_one_call);
    add_backend_test(tcase, read_and_write_are_one_pair);
    add_backend_test(tcase, unread_data_is_reported_a_thousand_times_running);
    add_backend_test(tcase, a_key_unregistered_in_the_same_batch_is_not_called);
    add_backend_test(tcase, a_callback_may_remove_itself_and_the_others);
    add_backend_test(tcase, a_number_that_comes_back_in_the_same_batch_has_no_stale_call);
    add_backend_test(tcase, a_key_that_drops_write_is_not_called_for_it_again);
    add_backend_test(tcase, what_an_earlier_callback_drops_a_later_one_is_not_called_for);
    add_backend_test(tcase, a_key_paused_in_the_same_batch_is_not_called);
    add_backend_test(tcase, what_a_callback_registers_is_called_in_the_next_pass);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
