/* SPDX-License-Identifier: MIT */
/*
 * sel_wakeup(), the one call of a selector that other threads may make: none is
 * lost, several are one, and the selector may be closed as soon as the wait that
 * it ended has returned.
 */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    ck_assert_int_eq(pthread_create(thread, NULL, run, argument), 0);
}

static void join_thread(pthread_t thread)
{
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* Until the kernel says that a thread of this process sleeps. */
static void wait_until_asleep(pid_t thread)
{
    char path[64], line[256], state = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    while (state != 'S') {
        FILE *file = fopen(path, "re");

        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        fclose(file);
        state = strrchr(line, ')')[2];
        sched_yield();
    }
}

START_TEST(a_wakeup_before_a_wait_ends_it_and_no_other)
{
    sel_selector *sel = open_selector(_i);

    for (int round = 0; round < 3; round++) {
        assert_ok(sel_wakeup(sel));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 0);
        assert_quiet(sel, 0.01);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(wakeups_coalesce)
{
    sel_selector *sel = open_selector(_i);

    for (int i = 0; i < 100000; i++) /* more than a pipe could hold */
        assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_wakeup_is_no_pair_and_hides_none)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, record_call, &record));
    for (int i = 0; i < 100; i++) {
        assert_ok(sel_wakeup(sel));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
        ck_assert_int_eq(sel_dispatch(sel), 1);
    }
    ck_assert_int_eq(record.calls, 100);
    ck_assert_int_eq(read(fd, &(uint64_t){0}, 8), 8);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static void wake_from_callback(sel_selector *sel, const sel_key *key, int mask)
{
    record_call(sel, key, mask);
    ck_assert_int_eq(read(key->fd, &(uint64_t){0}, 8), 8);
    assert_ok(sel_wakeup(sel));
}

START_TEST(a_wakeup_in_a_callback_ends_the_next_wait)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, wake_from_callback, &record));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

typedef struct {
    sel_selector *sel;
    pid_t sleeper;
} alarm_clock;

static void *wake_the_sleeper(void *argument)
{
    alarm_clock *clock = argument;

    wait_until_asleep(clock->sleeper);
    sel_wakeup(clock->sel);
    return NULL;
}

START_TEST(a_wakeup_during_a_wait_ends_it)
{
    static const double timeouts[] = {SEL_FOREVER, 30, 1e18};
    alarm_clock clock = {.sel = open_selector(_i), .sleeper = (pid_t)syscall(SYS_gettid)};

    for (int round = 0; round < 30; round++) {
        int64_t start = now_ns();
        pthread_t thread;

        start_thread(&thread, wake_the_sleeper, &clock);
        ck_assert_int_eq(sel_select(clock.sel, timeouts[round % 3], NULL), 0);
        ck_assert_int_lt(now_ns() - start, INT64_C(20000000000));
        join_thread(thread);
    }
    assert_quiet(clock.sel, 0.01);
    assert_ok(sel_close(clock.sel));
}
END_TEST

/* A counter that one side raises and the other answers: one wake-up each. */
typedef struct {
    sel_selector *sel;
    int rounds;
    atomic_int asked, answered;
} rally;

static void *ask_and_wake(void *argument)
{
    rally *played = argument;

    for (int i = 1; i <= played->rounds; i++) {
        atomic_store(&played->asked, i);
        sel_wakeup(played->sel);
        while (atomic_load(&played->answered) != i)
            sched_yield();
    }
    return NULL;
}

/* One that got lost between the check and the sleep would be waited for for ever. */
START_TEST(no_wakeup_is_lost)
{
    rally played = {.sel = open_selector(_i), .rounds = choose_rounds(5000)};
    pthread_t thread;

    start_thread(&thread, ask_and_wake, &played);
    for (int i = 1; i <= played.rounds; i++) {
        while (atomic_load(&played.asked) != i)
            ck_assert_int_eq(sel_select(played.sel, SEL_FOREVER, NULL), 0);
        atomic_store(&played.answered, i);
    }
    join_thread(thread);
    assert_ok(sel_close(played.sel));
}
END_TEST

typedef struct {
    sel_selector *sel;
    atomic_int running;
} flood;

static void *wake_without_end(void *argument)
{
    flood *many = argument;

    for (int i = 0; i < 20000; i++)
        sel_wakeup(many->sel);
    if (atomic_fetch_sub(&many->running, 1) == 1)
        sel_wakeup(many->sel);
    return NULL;
}

START_TEST(threads_that_wake_at_once_do_no_harm_and_the_last_is_heard)
{
    enum { THREADS = 4 };
    flood many = {.sel = open_selector(_i), .running = THREADS};
    pthread_t threads[THREADS];
    int ends[2], passes = 0;

    make_pipe(ends);
    assert_ok(sel_register(many.sel, ends[0], READ, NULL, NULL));
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], wake_without_end, &many);
    while (atomic_load(&many.running) > 0) {
        int count = sel_select(many.sel, SEL_FOREVER, NULL);

        ck_assert_int_eq(count, passes % 2);
        if (count == 1)
            take_byte(ends[0]);
        else
            put_byte(ends[1]);
        passes++;
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    assert_ok(sel_close(many.sel));
    close_pair(ends);
}
END_TEST

/* Where the closer hands each new selector to the thread that wakes it. */
typedef struct {
    _Atomic(sel_selector *) open;
    atomic_bool over;
} relay;

static void *wake_each(void *argument)
{
    relay *hand = argument;

    while (!atomic_load(&hand->over)) {
        sel_selector *sel = atomic_exchange(&hand->open, NULL);

        if (sel != NULL)
            sel_wakeup(sel);
        else
            sched_yield();
    }
    return NULL;
}

/*
 * The wait returns because of the wake-up, and the selector is freed while the
 * other thread may still be on its way out of the call.
 */
START_TEST(the_selector_may_be_closed_as_soon_as_the_wait_has_ended)
{
    relay hand = {.over = false};
    int rounds = choose_rounds(2000);
    pthread_t thread;

    atomic_init(&hand.open, NULL);
    start_thread(&thread, wake_each, &hand);
    for (int i = 0; i < rounds; i++) {
        sel_selector *sel = open_selector(_i);

        atomic_store(&hand.open, sel);
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_ok(sel_close(sel));
    }
    atomic_store(&hand.over, true);
    join_thread(thread);
}
END_TEST

/* A whole life of a selector, again and again. */
static void *live_alone(void *argument)
{
    int backend = *(int *)argument;

    for (int round = 0; round < 20; round++) {
        sel_selector *sel = open_selector(backend);
        call_record record = {0};
        int ends[2];

        make_socketpair(ends);
        assert_ok(sel_register(sel, ends[0], READ, record_call, &record));
        for (int i = 1; i <= 20; i++) {
            put_byte(ends[1]);
            ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
            ck_assert_int_eq(sel_dispatch(sel), 1);
            ck_assert_int_eq(record.calls, i);
            take_byte(ends[0]);
        }
        assert_ok(sel_unregister(sel, ends[0]));
        assert_ok(sel_close(sel));
        close_pair(ends);
    }
    return NULL;
}

START_TEST(selectors_on_threads_of_their_own_do_not_meet)
{
    enum { THREADS = 8 };
    int backends[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) { /* half of them the same, half all kinds */
        int kinds = BACKENDS - first_backend();

        backends[i] = i % 2 == 0 ? _i : first_backend() + i / 2 % kinds;
        start_thread(&threads[i], live_alone, &backends[i]);
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tcase = new_tcase("wake-ups");

    add_backend_test(tcase, a_wakeup_before_a_wait_ends_it_and_no_other);
    add_backend_test(tcase, wakeups_coalesce);
    add_backend_test(tcase, a_wakeup_is_no_pair_and_hides_none);
    add_backend_test(tcase, a_wakeup_in_a_callback_ends_the_next_wait);
    add_backend_test(tcase, a_wakeup_during_a_wait_ends_it);
    add_backend_test(tcase, no_wakeup_is_lost);
    add_backend_test(tcase, threads_that_wake_at_once_do_no_harm_and_the_last_is_heard);
    add_backend_test(tcase, the_selector_may_be_closed_as_soon_as_the_wait_has_ended);
    add_backend_test(tcase, selectors_on_threads_of_their_own_do_not_meet);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
