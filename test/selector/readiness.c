/* SPDX-License-Identifier: MIT */
/*
 * What is ready: every situation of a descriptor, watched for every set of events, on
 * every backend.
 *
 * The rule is CPython's, checked against one poll(2): hang-up and error are every event
 * that is watched. It holds in the first wait and in every later one, whether the
 * situation arose before the registration, after it, or in the middle of a wait.
 */
#include "support/situations.h"
#include "support/support.h"

#include <pthread.h>
#include <unistd.h>

enum {
    READ = SEL_EVENT_READ,
    WRITE = SEL_EVENT_WRITE,
    EXCEPT = SEL_EVENT_EXCEPT,
    WAITS = 3
};

/* Seconds.  Only a wait that missed something lasts LONG. */
static const double LONG = 5, SILENCE = 0.02, SHORT_SILENCE = 0.01;

/* A loop test is one situation, run on every backend that there is. */
static void on_every_backend(void (*test)(sel_selector *sel, const situation *given),
                             int which)
{
    for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) {
        sel_selector *sel;

        if (!runs_on(i, which, BACKENDS))
            continue;
        sel = open_selector(i);
        test(sel, situation_at(which));
        assert_ok(sel_close(sel));
    }
}

/* At most two pairs, `fd` with `mask` (0: none) and `bystander` with READ. */
static void assert_pairs(const char *backend, const situation *given,
                         const sel_ready *ready, int count, int fd, int events, int mask)
{
    int reported = 0;

    for (int i = 0; i < count; i++) {
        if (ready[i].key.fd == fd)
            reported |= ready[i].mask;
        else
            ck_assert_int_eq(ready[i].mask, READ);
    }
    ck_assert_msg(reported == mask && count == 1 + (mask != 0),
                  "%s: %s: watched for %d, poll(2) says %d, reported %d among %d pairs",
                  backend, given->name, events, mask, reported, count);
}

/* With another descriptor ready beside it, so that no wait must end because of it. */
static void assert_reported(sel_selector *sel, const situation *given,
                            const descriptors *ends, int events)
{
    const sel_ready *ready = NULL;
    int bystander = make_eventfd(1);
    int mask = poll_rule(ends->watched, events);

    assert_ok(sel_register(sel, bystander, READ, NULL, NULL));
    for (int i = 0; i < WAITS; i++) {
        int count = sel_select(sel, LONG, &ready);

        assert_pairs(sel_backend_name(sel), given, ready, count, ends->watched, events,
                     mask);
    }
    assert_ok(sel_unregister(sel, bystander));
    close(bystander);
}

/* Alone, it either ends a wait or has nothing to report: then the wait lasts, and sleeps. */
static void assert_ends_a_wait(sel_selector *sel, const situation *given,
                               const descriptors *ends, int events)
{
    const sel_ready *ready = NULL;
    int mask = poll_rule(ends->watched, events);
    int64_t begin = now_ns();
    effort before = measure_effort();
    int count = sel_select(sel, mask != 0 ? LONG : SILENCE, &ready);

    ck_assert_msg(count == (mask != 0), "%s: %s: watched for %d, %d pairs",
                  sel_backend_name(sel), given->name, events, count);
    if (mask != 0) {
        ck_assert_int_eq(ready[0].key.fd, ends->watched);
        ck_assert_int_eq(ready[0].mask, mask);
    } else {
        ck_assert_int_ge(now_ns() - begin, (int64_t)(SILENCE * 1e9));
        ck_assert_msg(!has_spun(before, 1), "%s: %s: spins, watched for %d",
                      sel_backend_name(sel), given->name, events);
    }
}

static void change_and_register(sel_selector *sel, const situation *given)
{
    for (int events = 1; events <= EVERY_EVENT; events++) {
        descriptors ends;

        make_situation(given, &ends);
        change_situation(given, &ends);
        assert_ok(sel_register(sel, ends.watched, events, NULL, NULL));
        assert_reported(sel, given, &ends, events);
        assert_ends_a_wait(sel, given, &ends, events);
        assert_ok(sel_unregister(sel, ends.watched));
        end_situation(&ends);
    }
}

START_TEST(what_happened_before_it_was_registered_is_reported_on_every_wait)
{
    on_every_backend(change_and_register, _i);
}
END_TEST

static void register_and_change(sel_selector *sel, const situation *given)
{
    for (int events = 1; events <= EVERY_EVENT; events++) {
        descriptors ends;

        make_situation(given, &ends);
        assert_ok(sel_register(sel, ends.watched, events, NULL, NULL));
        assert_reported(sel, given, &ends, events);
        change_situation(given, &ends);
        assert_reported(sel, given, &ends, events);
        assert_ok(sel_unregister(sel, ends.watched));
        end_situation(&ends);
    }
}

START_TEST(what_happens_after_it_was_registered_is_reported_on_every_wait)
{
    on_every_backend(register_and_change, _i);
}
END_TEST

static void assert_modified(sel_selector *sel, const situation *given,
                            const descriptors *ends, int events)
{
    int mask = poll_rule(ends->watched, events);

    assert_ok(sel_modify(sel, ends->watched, events, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        int reported = look(sel, ends->watched);

        ck_assert_msg(reported == mask, "%s: %s: modified to %d, poll(2) says %d, not %d",
                      sel_backend_name(sel), given->name, events, mask, reported);
    }
}

/* Alone, because news of another key would hide that this one's change was not sent. */
static void modify_in_every_way(sel_selector *sel, const situation *given)
{
    descriptors ends;

    make_situation(given, &ends);
    assert_ok(sel_register(sel, ends.watched, EVERY_EVENT, NULL, NULL));
    change_situation(given, &ends);
    for (int before = EVERY_EVENT; before >= 0; before--)
        for (int events = 0; events <= EVERY_EVENT; events++) {
            assert_modified(sel, given, &ends, before);
            assert_modified(sel, given, &ends, events);
        }
    end_situation(&ends);
}

START_TEST(a_key_that_is_modified_is_reported_by_what_it_is_watched_for_now)
{
    on_every_backend(modify_in_every_way, _i);
}
END_TEST

typedef struct {
    const situation *given;
    descriptors *ends;
    pid_t waiter;
} changer;

static void *change_during_the_wait(void *data)
{
    const changer *job = data;

    wait_until_asleep(job->waiter);
    change_situation(job->given, job->ends);
    return NULL;
}

/* The change happens while the wait sleeps; returns what the wait then reports. */
static int wait_for_the_change(sel_selector *sel, const situation *given,
                               descriptors *ends, int events)
{
    changer job = {given, ends, gettid()};
    bool silent = (given->after & events) == 0;
    const sel_ready *ready = NULL;
    pthread_t thread;
    int count;

    ck_assert_int_eq(pthread_create(&thread, NULL, change_during_the_wait, &job), 0);
    count = sel_select(sel, silent ? SHORT_SILENCE : LONG, &ready);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(count == !silent, "%s: %s during a wait for %d: %d pairs",
                  sel_backend_name(sel), given->name, events, count);
    return count == 0 ? 0 : ready[0].mask;
}

/*
 * Hang-up is the hard part: select(2) can't be asked for it, and a read end with unread
 * bytes can't be watched for reading instead without a busy loop.
 */
static void change_during_waits(sel_selector *sel, const situation *given)
{
    for (int events = 1; events <= EVERY_EVENT; events++) {
        descriptors ends;
        int mask;

        if ((given->before & events) != 0)
            continue;
        make_situation(given, &ends);
        assert_ok(sel_register(sel, ends.watched, events, NULL, NULL));
        mask = wait_for_the_change(sel, given, &ends, events);
        ck_assert_int_eq(mask & ~given->after, 0);
        assert_reported(sel, given, &ends, events);
        assert_ok(sel_unregister(sel, ends.watched));
        end_situation(&ends);
    }
}

START_TEST(what_happens_during_a_wait_ends_it)
{
    on_every_backend(change_during_waits, _i);
}
END_TEST

/* What CPython's selectors report, written down again by hand. */
static const struct {
    const char *name;
    int events;
    int mask;
} python_rows[] = {
    {"pipe, read end: writer gone", READ, READ},
    {"pipe, read end: writer gone", WRITE, WRITE},
    {"pipe, read end: writer gone", READ | WRITE, READ | WRITE},
    {"pipe, write end: reader gone", READ, READ},
    {"pipe, write end: reader gone", WRITE, WRITE},
    {"pipe, write end: reader gone", READ | WRITE, READ | WRITE},
    {"Unix stream: peer closed", READ, READ},
    {"Unix stream: peer closed", WRITE, WRITE},
    {"Unix stream: peer closed", READ | WRITE, READ | WRITE},
    {"TCP: peer closed", READ, READ},
    {"TCP: peer closed", WRITE, WRITE},
    {"TCP: peer closed", READ | WRITE, READ | WRITE},
    {"TCP: reset", READ, READ},
    {"TCP: reset", READ | WRITE, READ | WRITE},
    {"TCP: half-close", READ, READ},
    {"TCP: refused", WRITE, WRITE},
    {"TCP: fresh and unconnected", READ | WRITE, READ | WRITE},
    {"TCP listener: no client", READ | WRITE, 0},
    {"TCP: an out-of-band byte alone", READ, 0},
    {"TCP: an out-of-band byte alone", EXCEPT, EXCEPT},
    {"TCP: an out-of-band byte alone", READ | EXCEPT, EXCEPT},
};

enum { PYTHON_ROWS = (int)(sizeof python_rows / sizeof python_rows[0]) };

START_TEST(the_rows_that_cpython_gives_are_given)
{
    const situation *given = find_situation(python_rows[_i].name);
    int events = python_rows[_i].events;
    descriptors ends;

    make_situation(given, &ends);
    change_situation(given, &ends);
    for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) {
        sel_selector *sel = open_selector(i);

        assert_ok(sel_register(sel, ends.watched, events, NULL, NULL));
        for (int wait = 0; wait < WAITS; wait++)
            ck_assert_msg(look(sel, ends.watched) == python_rows[_i].mask,
                          "%s: %s: watched for %d, wait %d", sel_backend_name(sel),
                          given->name, events, wait);
        assert_ok(sel_close(sel));
    }
    end_situation(&ends);
}
END_TEST

/* The oracle itself is checked against those rows, without a selector. */
START_TEST(poll_gives_the_rows_that_cpython_gives)
{
    const situation *given = find_situation(python_rows[_i].name);
    descriptors ends;

    make_situation(given, &ends);
    change_situation(given, &ends);
    ck_assert_int_eq(poll_rule(ends.watched, python_rows[_i].events),
                     python_rows[_i].mask);
    end_situation(&ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readiness");
    TCase *tcase = new_tcase("readiness");
    int rows = count_situations();

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(
        tcase, what_happened_before_it_was_registered_is_reported_on_every_wait, 0, rows);
    tcase_add_loop_test(
        tcase, what_happens_after_it_was_registered_is_reported_on_every_wait, 0, rows);
    tcase_add_loop_test(
        tcase, a_key_that_is_modified_is_reported_by_what_it_is_watched_for_now, 0, rows);
    tcase_add_loop_test(tcase, what_happens_during_a_wait_ends_it, 0, rows);
    tcase_add_loop_test(tcase, poll_gives_the_rows_that_cpython_gives, 0, PYTHON_ROWS);
    tcase_add_loop_test(tcase, the_rows_that_cpython_gives_are_given, 0, PYTHON_ROWS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
