/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that are closed while they are registered, and numbers that come to stand
 * for another file: a mistake that programs make. Nothing is reported for such a key,
 * nobody else notices, no wait spins, the process survives (libuv aborts it: libuv
 * #5130 and #1495), and unregister removes the key.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

/* How far a key has come when its descriptor is closed. */
typedef enum { FRESH, WAITED, CHANGED, PAUSED, RESUMED, STAGES } stage;

/* What the number stands for afterwards. */
typedef enum { NOTHING, PIPE, SOCKET, EVENTFD, REGULAR_FILE, DEV_NULL, FATES } fate;

static void advance(sel_selector *sel, int fd, stage reached)
{
    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    if (reached == FRESH)
        return;
    ck_assert_int_eq(look(sel, fd), READ);
    if (reached == CHANGED)
        assert_ok(sel_modify(sel, fd, READ | WRITE, NULL, NULL));
    if (reached < PAUSED)
        return;
    assert_ok(sel_modify(sel, fd, 0, NULL, NULL));
    ck_assert_int_eq(look(sel, fd), 0);
    if (reached == RESUMED)
        assert_ok(sel_modify(sel, fd, READ, NULL, NULL));
}

/* Makes `number` stand for a file with something to read; returns its other end, or -1. */
static int replace(int number, fate met)
{
    int ends[2] = {-1, -1};

    close(number);
    if (met == NOTHING)
        return -1;
    if (met == PIPE)
        make_pipe(ends);
    else if (met == SOCKET)
        make_socketpair(ends);
    else if (met == EVENTFD)
        ends[0] = make_eventfd(1);
    else if (met == DEV_NULL)
        ends[0] = open_always_ready();
    else
        ends[0] = open_regular_file();
    if (ends[1] >= 0)
        put_byte(ends[1]);
    if (ends[1] == number) /* the end that stays must not have the number */
        ends[1] = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (ends[0] != number)
        move_descriptor(ends[0], number);
    return ends[1];
}

/* Once the key is gone, the number is as good as any other. */
static void assert_usable_again(sel_selector *sel, int number, fate met)
{
    if (met == NOTHING) {
        assert_error(sel_register(sel, number, READ, NULL, NULL), EBADF);
    } else if (met == REGULAR_FILE || met == DEV_NULL) {
        assert_error(sel_register(sel, number, READ, NULL, NULL), EPERM);
    } else {
        assert_ok(sel_register(sel, number, READ, NULL, NULL));
        ck_assert_int_eq(look(sel, number), READ);
        assert_ok(sel_unregister(sel, number));
    }
}

static void close_while_registered(int i, stage reached, fate met)
{
    sel_selector *sel = open_selector(i);
    int healthy = make_eventfd(0), other_end, ends[2];

    make_pipe(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, healthy, READ, NULL, NULL));
    advance(sel, ends[0], reached);
    other_end = replace(ends[0], met);

    assert_quiet(sel, 0.006);
    ck_assert_int_eq(write(healthy, &(uint64_t){1}, 8), 8);
    ck_assert_int_eq(look(sel, healthy), READ);
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(read(healthy, &(uint64_t){0}, 8), 8);
    assert_ok(sel_unregister(sel, ends[0]));
    assert_usable_again(sel, ends[0], met);
    assert_quiet(sel, 0.006);

    assert_ok(sel_close(sel));
    if (met != NOTHING)
        close(ends[0]);
    if (other_end >= 0)
        close(other_end);
    close(ends[1]);
    close(healthy);
}

START_TEST(a_descriptor_closed_at_any_time_is_silent_and_harmless)
{
    for (stage reached = FRESH; reached < STAGES; reached++)
        close_while_registered(_i, reached, NOTHING);
}
END_TEST

START_TEST(a_number_that_became_another_file_is_silent_and_harmless)
{
    for (stage reached = FRESH; reached < STAGES; reached++)
        for (fate met = PIPE; met < FATES; met++)
            close_while_registered(_i, reached, met);
}
END_TEST

/* The other way round: unregister before any wait has noticed the closed number. */
START_TEST(unregister_succeeds_after_close_without_a_wait_between)
{
    for (stage reached = FRESH; reached < STAGES; reached++) {
        for (fate met = NOTHING; met < FATES; met++) {
            sel_selector *sel = open_selector(_i);
            int ends[2], other_end;

            make_pipe(ends);
            put_byte(ends[1]);
            advance(sel, ends[0], reached);
            other_end = replace(ends[0], met);
            assert_ok(sel_unregister(sel, ends[0]));
            assert_usable_again(sel, ends[0], met);
            assert_quiet(sel, 0.004);
            assert_ok(sel_close(sel));
            if (met != NOTHING)
                close(ends[0]);
            if (other_end >= 0)
                close(other_end);
            close(ends[1]);
        }
    }
}
END_TEST

START_TEST(modify_of_a_closed_descriptor_is_ebadf_and_removes_the_key)
{
    for (stage reached = WAITED; reached < STAGES; reached++) {
        sel_selector *sel = open_selector(_i);
        int ends[2];
        sel_key key;

        make_pipe(ends);
        put_byte(ends[1]);
        advance(sel, ends[0], reached);
        close(ends[0]);
        assert_error(sel_modify(sel, ends[0], EVERY_EVENT, NULL, NULL), EBADF);
        assert_error(sel_get_key(sel, ends[0], &key), ENOENT);
        assert_error(sel_unregister(sel, ends[0]), ENOENT);
        ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
        assert_quiet(sel, 0.006);
        assert_ok(sel_close(sel));
        close(ends[1]);
    }
}
END_TEST

START_TEST(the_file_that_took_the_number_is_left_untouched)
{
    sel_selector *sel = open_selector(_i), *witness = open_selector(_i);
    int ends[2], other_end, flags;

    make_pipe(ends);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 0);
    other_end = replace(ends[0], PIPE);
    flags = fcntl(ends[0], F_GETFL);
    assert_ok(sel_register(witness, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 0);
    assert_ok(sel_unregister(sel, ends[0]));
    ck_assert_int_eq(count_ready(sel), 0);

    ck_assert_int_eq(fcntl(ends[0], F_GETFL), flags);
    ck_assert_int_eq(look(witness, ends[0]), READ);
    take_byte(ends[0]);
    assert_ok(sel_close(sel));
    put_byte(other_end);
    ck_assert_int_eq(look(witness, ends[0]), READ);
    assert_ok(sel_close(witness));
    close_pair(ends);
    close(other_end);
}
END_TEST

static void close_itself(sel_selector *sel, const sel_key *key, int mask)
{
    record_call(sel, key, mask);
    close(key->fd);
}

START_TEST(a_callback_that_closes_without_unregistering_is_called_once)
{
    enum { KEYS = 20 };
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fds[KEYS];

    for (int i = 0; i < KEYS; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, close_itself, &record));
    }
    ck_assert_int_eq(count_ready(sel), KEYS);
    ck_assert_int_eq(sel_dispatch(sel), KEYS);
    assert_quiet(sel, 0.02);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    ck_assert_int_eq(record.calls, KEYS);
    for (int i = 0; i < KEYS; i++)
        assert_ok(sel_unregister(sel, fds[i]));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(many_closed_ones_among_many_healthy_ones_disturb_none)
{
    enum { KEYS = 2400 };
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, KEYS), fds[KEYS];

    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, NULL, NULL));
        if (i == count / 2)
            ck_assert_int_eq(count_ready(sel), i + 1);
    }
    for (int i = 0; i < count; i += 3)
        close(fds[i]);
    ck_assert_int_eq(count_ready(sel), count - count / 3);
    ck_assert_int_eq(count_ready(sel), count - count / 3);
    for (int i = 0; i < count; i++)
        assert_ok(sel_unregister(sel, fds[i]));
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
    for (int i = 0; i < count; i++)
        if (i % 3 != 0)
            close(fds[i]);
}
END_TEST

/* `events`: what the keys are watched for when their descriptors are closed. */
static void close_a_third(int i, int events)
{
    enum { KEYS = 2100 };
    sel_selector *sel = open_selector(i);
    int count = limit_count(sel, KEYS), fds[KEYS], closed = count / 3;

    for (int j = 0; j < count; j++)
        fds[j] = make_eventfd(1);
    for (int j = 0; j < closed; j++)
        assert_ok(sel_register(sel, fds[j], READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), closed);
    for (int j = 0; j < closed; j++)
        assert_ok(sel_modify(sel, fds[j], events, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), events == 0 ? 0 : closed);
    for (int j = 0; j < closed; j++)
        close(fds[j]);
    sel_fileno(sel);
    for (int j = closed; j < count; j++)
        assert_ok(sel_register(sel, fds[j], READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), count - closed);
    for (int j = 0; j < closed; j++)
        assert_ok(sel_unregister(sel, fds[j]));
    ck_assert_int_eq(count_ready(sel), count - closed);
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), count - closed);
    assert_ok(sel_close(sel));
    for (int j = closed; j < count; j++)
        close(fds[j]);
}

/*
 * A closed number is the next that any open gets, including the library's: what it
 * opens for the thousand-and-first key, or for fileno.
 */
START_TEST(the_number_of_a_closed_key_may_become_the_librarys_own)
{
    close_a_third(_i, READ);
}
END_TEST

START_TEST(the_number_of_a_paused_key_may_become_the_librarys_own)
{
    close_a_third(_i, 0);
}
END_TEST

/* O_PATH, by way of /proc: a pipe has no name of its own. */
static int open_path_of(int fd)
{
    char path[64];
    int opened;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    opened = open(path, O_PATH | O_CLOEXEC);
    ck_assert_int_ge(opened, 0);
    return opened;
}

static void assert_refused(sel_selector *sel, int fd)
{
    sel_key key;

    assert_error(sel_register(sel, fd, READ, NULL, NULL), EBADF);
    assert_error(sel_get_key(sel, fd, &key), ENOENT);
    assert_quiet(sel, 0.004);
}

START_TEST(a_descriptor_that_only_names_a_file_is_ebadf)
{
    sel_selector *sel = open_selector(_i);
    int fifo[2], other[2];

    make_pipe(fifo);
    put_byte(fifo[1]);
    move_descriptor(open_path_of(fifo[0]), fifo[0]);
    assert_refused(sel, fifo[0]);
    make_pipe(other); /* and on a number that was watched before */
    put_byte(other[1]);
    assert_ok(sel_register(sel, other[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, other[0]), READ);
    assert_ok(sel_unregister(sel, other[0]));
    move_descriptor(open_path_of(fifo[1]), other[0]);
    assert_refused(sel, other[0]);
    assert_ok(sel_close(sel));
    close_pair(fifo);
    close_pair(other);
}
END_TEST

/* Inner: uv or epoll, the two that have a fileno. */
static void nest(int outer_backend, int inner_backend, int keys)
{
    sel_selector *outer = open_selector(outer_backend);
    sel_selector *inner = open_selector(inner_backend);
    int fds[1500], last;

    keys = limit_count(outer, keys);
    last = keys - 1;
    for (int i = 0; i < keys; i++) {
        fds[i] = make_eventfd(0);
        assert_ok(sel_register(inner, fds[i], READ, NULL, NULL));
    }
    assert_ok(sel_register(outer, sel_fileno(inner), READ, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(count_ready(inner), 0);
        assert_quiet(outer, 0.01);
        ck_assert_int_eq(write(fds[last], &(uint64_t){1}, 8), 8);
        ck_assert_int_eq(wait_for(outer, sel_fileno(inner)), READ);
        ck_assert_int_eq(look(inner, fds[last]), READ);
        ck_assert_int_eq(read(fds[last], &(uint64_t){0}, 8), 8);
    }
    assert_ok(sel_unregister(outer, sel_fileno(inner)));
    assert_ok(sel_close(inner));
    assert_quiet(outer, 0.01);
    assert_ok(sel_close(outer));
    for (int i = 0; i < keys; i++)
        close(fds[i]);
}

START_TEST(a_selector_watches_another_selector)
{
    for (int inner = first_backend(); inner < FIRST_WITHOUT_FILENO;
         inner = next_backend(inner)) {
        nest(_i, inner, 1);
        nest(_i, inner, 1500);
    }
}
END_TEST

/* On backends where the kernel waits on a descriptor, which the program must not close. */
START_TEST(a_wait_without_its_set_says_so_and_does_not_spin)
{
    enum { SOME = 64 };
    bool were_open[SOME];
    sel_selector *sel;
    effort begun;

    for (int fd = 0; fd < SOME; fd++)
        were_open[fd] = is_open(fd);
    sel = open_selector(_i);
    for (int fd = 0; fd < SOME; fd++)
        if (!were_open[fd])
            close(fd);
    begun = measure_effort();
    for (int i = 0; i < 3; i++)
        assert_error(sel_select(sel, 0.01, NULL), EBADF);
    assert_no_spin(begun, 3);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tcase = new_tcase("descriptors' lives");

    add_backend_test(tcase, a_descriptor_closed_at_any_time_is_silent_and_harmless);
    add_backend_test(tcase, a_number_that_became_another_file_is_silent_and_harmless);
    add_backend_test(tcase, unregister_succeeds_after_close_without_a_wait_between);
    add_backend_test(tcase, modify_of_a_closed_descriptor_is_ebadf_and_removes_the_key);
    add_backend_test(tcase, the_file_that_took_the_number_is_left_untouched);
    add_backend_test(tcase, a_callback_that_closes_without_unregistering_is_called_once);
    add_backend_test(tcase, many_closed_ones_among_many_healthy_ones_disturb_none);
    add_backend_test(tcase, the_number_of_a_closed_key_may_become_the_librarys_own);
    add_backend_test(tcase, the_number_of_a_paused_key_may_become_the_librarys_own);
    add_backend_test(tcase, a_descriptor_that_only_names_a_file_is_ebadf);
    add_backend_test(tcase, a_selector_watches_another_selector);
    add_test_between(tcase, a_wait_without_its_set_says_so_and_does_not_spin, 1,
                     FIRST_WITHOUT_FILENO);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
