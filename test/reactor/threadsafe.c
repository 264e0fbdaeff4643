/* SPDX-License-Identifier: MIT */
/*
 * sel_call_soon_threadsafe(): each task runs once, one thread's in order, on the thread
 * that dispatches; and the selector may be closed as soon as a thread's last task has
 * run.
 */
#include "support/journal.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 8, POOL = 4 };

/* --- each once, in order --- */

typedef struct {
    sel_selector *sel;
    pthread_t dispatcher;
    int count;  /* tasks of this thread */
    int next;   /* the one that has to run next */
    int refused;
    int wrong;
    atomic_int *running; /* threads that have not finished yet */
} sender;

typedef struct {
    sender *from;
    int number;
} message;

static void receive(sel_selector *sel, void *data)
{
    message *one = data;
    sender *from = one->from;

    from->wrong += sel != from->sel || one->number != from->next ||
                   !pthread_equal(pthread_self(), from->dispatcher);
    if (++from->next == from->count && atomic_fetch_sub(from->running, 1) == 1)
        sel_stop(sel);
    free(one);
}

static void *send_all(void *data)
{
    sender *from = data;

    for (int i = 0; i < from->count; i++) {
        message *one = malloc(sizeof *one);

        if (one == NULL)
            abort();
        *one = (message){.from = from, .number = i};
        from->refused += sel_call_soon_threadsafe(from->sel, receive, one) != 0;
    }
    return NULL;
}

START_TEST(tasks_of_eight_threads_run_once_each_and_in_each_threads_order)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0), each = choose_rounds(20000);
    atomic_int running = THREADS;
    sender senders[THREADS];
    pthread_t threads[THREADS];

    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, note_ready, "never"));
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (sender){.sel = sel, .dispatcher = pthread_self(), .count = each,
                              .running = &running};
        start_thread(&threads[i], send_all, &senders[i]);
    }
    assert_ok(sel_run(sel));
    for (int i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
        ck_assert_int_eq(senders[i].next, each);
        ck_assert_int_eq(senders[i].wrong + senders[i].refused, 0);
    }
    assert_quiet(sel, 0.01);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

/* --- one thread's calls of both kinds --- */

static void queue_letters(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_ok(sel_call_soon_threadsafe(sel, note, "a"));
    assert_ok(sel_call_soon(sel, note, "b"));
    assert_ok(sel_call_soon(sel, note, "c"));
    assert_ok(sel_call_soon_threadsafe(sel, note, "d"));
    assert_ok(sel_call_soon(sel, note, "e"));
}

/* What was posted used to come after everything that was queued: "bcead". */
START_TEST(one_threads_calls_of_both_kinds_run_in_their_order)
{
    sel_selector *sel = open_selector(_i);

    queue_letters(sel, NULL);
    ck_assert_int_eq(sel_dispatch(sel), 5);
    assert_noted("abcde");
    queue_letters(sel, NULL);
    ck_assert_int_eq(wait_and_pass(sel), 5);
    assert_noted("abcde");
    for (int origin = 0; origin < count_origins(); origin++) {
        call_from(sel, origin, queue_letters, NULL);
        assert_noted(""); /* not in the pass that queues them */
        ck_assert_int_eq(pass(sel), 5);
        assert_noted("abcde");
    }
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

static void send_one_of_either_kind(sender *from, int number, bool soon)
{
    message *one = malloc(sizeof *one);

    ck_assert_ptr_nonnull(one);
    *one = (message){.from = from, .number = number};
    assert_ok(soon ? sel_call_soon(from->sel, receive, one) :
                     sel_call_soon_threadsafe(from->sel, receive, one));
}

/* The selector's own thread and others, with waits and passes in between. */
START_TEST(calls_of_both_kinds_among_those_of_others_keep_each_threads_order)
{
    enum { OTHERS = 2 };
    uint64_t seed = choose_seed();
    sel_selector *sel = open_selector(_i);
    atomic_int running = OTHERS + 1;
    sender senders[OTHERS + 1];
    pthread_t threads[OTHERS];

    for (int i = 0; i <= OTHERS; i++)
        senders[i] = (sender){.sel = sel, .dispatcher = pthread_self(),
                              .count = choose_rounds(20000), .running = &running};
    for (int i = 0; i < OTHERS; i++)
        start_thread(&threads[i], send_all, &senders[i]);
    for (int i = 0; i < senders[OTHERS].count; i++) {
        uint64_t draw = next_random(&seed);

        send_one_of_either_kind(&senders[OTHERS], i, draw % 2);
        if (draw / 2 % 16 == 0)
            ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
        if (draw / 32 % 8 == 0)
            ck_assert_int_ge(sel_dispatch(sel), 0);
    }
    for (int i = 0; i < OTHERS; i++)
        join_thread(threads[i]);
    assert_ok(sel_run(sel));
    for (int i = 0; i <= OTHERS; i++) {
        ck_assert_int_eq(senders[i].next, senders[i].count);
        ck_assert_int_eq(senders[i].wrong + senders[i].refused, 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* --- a thread that ends in the middle --- */

static atomic_bool has_posted;

static void *post_while_cancelled(void *data)
{
    pthread_cancel(pthread_self());
    if (sel_call_soon_threadsafe(data, note, "a") == 0)
        atomic_store(&has_posted, true);
    pthread_testcancel();
    return NULL;
}

/* write() is a cancellation point: the thread left its wake-up half done. */
START_TEST(a_cancelled_thread_that_posts_a_task_leaves_no_other_without_a_wakeup)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0);
    pthread_t thread;
    void *ended;

    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, note_ready, "never"));
    for (int round = 0; round < 3; round++) {
        atomic_store(&has_posted, false);
        start_thread(&thread, post_while_cancelled, sel);
        ck_assert_int_eq(pthread_join(thread, &ended), 0);
        ck_assert_ptr_eq(ended, PTHREAD_CANCELED);
        ck_assert(atomic_load(&has_posted));
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("a");
    }
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

/* --- a selector that sleeps --- */

typedef struct {
    sel_selector *sel;
    pid_t sleeper;
} caller;

static void *call_the_sleeper(void *data)
{
    caller *one = data;

    wait_until_asleep(one->sleeper);
    if (sel_call_soon_threadsafe(one->sel, note, "a") != 0 ||
        sel_call_soon_threadsafe(one->sel, note, "b") != 0)
        abort();
    return NULL;
}

START_TEST(a_task_from_another_thread_wakes_the_selector)
{
    caller one = {.sel = open_selector(_i), .sleeper = this_thread()};

    for (int round = 0; round < 30; round++) {
        pthread_t thread;
        int called;

        start_thread(&thread, call_the_sleeper, &one);
        ck_assert_int_eq(sel_select(one.sel, SEL_FOREVER, NULL), 0);
        called = sel_dispatch(one.sel);
        join_thread(thread);
        while (called < 2)
            called += wait_and_pass(one.sel);
        assert_noted("ab");
    }
    assert_ok(sel_close(one.sel));
}
END_TEST

/* Also between a wait and its dispatch, and while nobody is waiting at all. */
START_TEST(tasks_that_are_there_before_a_wait_need_no_more_to_run)
{
    sel_selector *sel = open_selector(_i);

    for (int round = 0; round < 3; round++) {
        assert_ok(sel_call_soon_threadsafe(sel, note, "a"));
        ck_assert_int_eq(sel_dispatch(sel), 1);
        assert_noted("a");
        assert_ok(sel_call_soon_threadsafe(sel, note, "b"));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_ok(sel_call_soon_threadsafe(sel, note, "c"));
        ck_assert_int_eq(sel_dispatch(sel), 2);
        assert_noted("bc");
        assert_ok(sel_run(sel));
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* Otherwise a loop around this one would sleep on, because the wait has taken the wake-up. */
START_TEST(a_posted_task_is_nothing_to_sleep_for)
{
    sel_selector *sel = open_selector(_i);

    for (int round = 0; round < 3; round++) {
        ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
        assert_ok(sel_call_soon_threadsafe(sel, note, "a"));
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
            ck_assert_double_eq(sel_get_timeout(sel), 0);
        }
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        assert_noted("a");
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void answer(sel_selector *sel, void *data)
{
    atomic_int *rounds = data;

    (void)sel;
    atomic_fetch_add(rounds, 1);
}

typedef struct {
    sel_selector *sel;
    int rounds;
    atomic_int answered;
} rally;

static void *ask_one_by_one(void *data)
{
    rally *played = data;

    for (int i = 0; i < played->rounds; i++) {
        if (sel_call_soon_threadsafe(played->sel, answer, &played->answered) != 0)
            abort();
        while (atomic_load(&played->answered) == i)
            sched_yield();
    }
    return NULL;
}

/* A task whose wake-up is lost would be waited for for ever. */
START_TEST(no_task_waits_for_another_wakeup)
{
    rally played = {.sel = open_selector(_i), .rounds = choose_rounds(20000) / 10};
    pthread_t thread;

    atomic_init(&played.answered, 0);
    start_thread(&thread, ask_one_by_one, &played);
    while (atomic_load(&played.answered) < played.rounds) {
        ck_assert_int_eq(sel_select(played.sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_ge(sel_dispatch(played.sel), 0);
    }
    join_thread(thread);
    assert_ok(sel_close(played.sel));
}
END_TEST

/* --- closing --- */

/* Where the closer hands each new selector to the thread that calls it. */
typedef struct {
    _Atomic(sel_selector *) open;
    atomic_bool over;
} relay;

static void *call_each(void *data)
{
    relay *hand = data;

    while (!atomic_load(&hand->over)) {
        sel_selector *sel = atomic_exchange(&hand->open, NULL);

        if (sel == NULL)
            sched_yield();
        else if (sel_call_soon_threadsafe(sel, stop, NULL) != 0)
            abort();
    }
    return NULL;
}

/* A busy program finds the task before the call that posted it has returned. */
static void poll_until_stopped(sel_selector *sel)
{
    while (pass(sel) == 0)
        continue;
}

static void sleep_until_stopped(sel_selector *sel)
{
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(sel_dispatch(sel), 1);
}

START_TEST(the_selector_may_be_closed_as_soon_as_the_last_task_has_run)
{
    relay hand = {.over = false};
    int rounds = choose_rounds(20000) / 10;
    pthread_t thread;

    atomic_init(&hand.open, NULL);
    start_thread(&thread, call_each, &hand);
    for (int i = 0; i < rounds; i++) {
        sel_selector *sel = open_selector(_i);

        atomic_store(&hand.open, sel);
        if (i % 2)
            sleep_until_stopped(sel);
        else
            poll_until_stopped(sel);
        assert_ok(sel_close(sel));
    }
    atomic_store(&hand.over, true);
    join_thread(thread);
}
END_TEST

/* Their data is the program's; under a leak checker this shows who frees the tasks. */
START_TEST(close_drops_tasks_of_other_threads)
{
    for (int round = 0; round < 20; round++) {
        sel_selector *sel = open_selector(_i);

        for (int i = 0; i < 10; i++)
            assert_ok(sel_call_soon_threadsafe(sel, never, NULL));
        if (round % 2)
            ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* --- selectors on threads of their own --- */

static void *live_alone(void *data)
{
    int backend = *(int *)data;

    for (int round = 0; round < 10; round++) {
        sel_selector *sel = open_selector(backend);
        int runs = 0;

        for (int i = 0; i < 20; i++) {
            assert_ok(sel_call_soon(sel, count_task, &runs));
            assert_ok(sel_call_later(sel, i * 0.0002, count_task, &runs, NULL));
            assert_ok(sel_run_in_executor(sel, no_work, NULL, NULL));
        }
        assert_ok(sel_run(sel));
        ck_assert_int_eq(runs, 40);
        assert_ok(sel_close(sel));
    }
    return NULL;
}

START_TEST(reactors_on_threads_of_their_own_do_not_meet)
{
    int backends[THREADS];
    pthread_t threads[THREADS];
    int other = first_backend();

    for (int i = 0; i < THREADS; i++) {
        backends[i] = i % 2 ? _i : other;
        start_thread(&threads[i], live_alone, &backends[i]);
        other = next_backend(other);
        if (other == BACKENDS)
            other = first_backend();
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threadsafe");
    TCase *tcase = new_tcase("tasks of other threads");

    add_backend_test(tcase,
                     tasks_of_eight_threads_run_once_each_and_in_each_threads_order);
    add_backend_test(tcase, one_threads_calls_of_both_kinds_run_in_their_order);
    add_backend_test(tcase,
                     calls_of_both_kinds_among_those_of_others_keep_each_threads_order);
    add_backend_test(tcase,
                     a_cancelled_thread_that_posts_a_task_leaves_no_other_without_a_wakeup);
    add_backend_test(tcase, a_task_from_another_thread_wakes_the_selector);
    add_backend_test(tcase, tasks_that_are_there_before_a_wait_need_no_more_to_run);
    add_backend_test(tcase, a_posted_task_is_nothing_to_sleep_for);
    add_backend_test(tcase, no_task_waits_for_another_wakeup);
    add_backend_test(tcase, the_selector_may_be_closed_as_soon_as_the_last_task_has_run);
    add_backend_test(tcase, close_drops_tasks_of_other_threads);
    if (sel_backend_available(SEL_BACKEND_UV) &&
        may_start(THREADS + POOL, "reactors on threads of their own"))
        add_backend_test(tcase, reactors_on_threads_of_their_own_do_not_meet);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
