/* SPDX-License-Identifier: MIT */
/*
 * sel_wakeup(), which other threads may call: no call is lost, several count as one,
 * and the selector may be closed as soon as the wait that it ended has returned.
 */
#include "support/support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A counter that one side increments and the other answers: one wake-up each. */
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

/* A wake-up lost between the check and the sleep would be waited for for ever. */
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
 * The wait returns because of the wake-up, and the selector is freed while the other
 * thread may still be leaving the call.
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

/* A selector's whole life, again and again. */
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
    int other = first_backend();

    for (int i = 0; i < THREADS; i++) { /* half of them the same, half all kinds */
        backends[i] = i % 2 == 0 ? _i : other;
        if (i % 2 == 1)
            other = next_backend(other) < BACKENDS ? next_backend(other) : first_backend();
        start_thread(&threads[i], live_alone, &backends[i]);
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}
END_TEST

/* --- threads that are cancelled --- */

static atomic_bool has_woken;

static void *wake_while_cancelled(void *sel)
{
    pthread_cancel(pthread_self());
    if (sel_wakeup(sel) == 0)
        atomic_store(&has_woken, true);
    pthread_testcancel();
    return NULL;
}

static void join_cancelled(pthread_t thread)
{
    void *ended;

    ck_assert_int_eq(pthread_join(thread, &ended), 0);
    ck_assert_ptr_eq(ended, PTHREAD_CANCELED);
}

/*
 * write() is a cancellation point: the thread left its wake-up half done, the next ones
 * went unnoticed, and closing waited for it for ever.
 */
START_TEST(a_cancelled_thread_completes_its_wakeup)
{
    sel_selector *sel = open_selector(_i);

    for (int round = 0; round < 3; round++) {
        pthread_t thread;

        atomic_store(&has_woken, false);
        start_thread(&thread, wake_while_cancelled, sel);
        join_cancelled(thread);
        ck_assert(atomic_load(&has_woken));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_ok(sel_wakeup(sel));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    sel_selector *sel;
    atomic_int thread; /* the kernel's number, once there is one */
} waiter;

static void *wait_for_ever(void *data)
{
    waiter *one = data;

    atomic_store(&one->thread, (int)syscall(SYS_gettid));
    sel_select(one->sel, SEL_FOREVER, NULL);
    return NULL;
}

START_TEST(a_thread_may_be_cancelled_in_a_wait)
{
    waiter one = {.sel = open_selector(_i)};
    int fd = make_eventfd(0);

    assert_ok(sel_register(one.sel, fd, READ, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        pthread_t thread;

        atomic_store(&one.thread, 0);
        start_thread(&thread, wait_for_ever, &one);
        while (atomic_load(&one.thread) == 0)
            sched_yield();
        wait_until_asleep(atomic_load(&one.thread));
        ck_assert_int_eq(pthread_cancel(thread), 0);
        join_cancelled(thread);
        assert_quiet(one.sel, 0.01);
        assert_ok(sel_wakeup(one.sel));
        ck_assert_int_eq(sel_select(one.sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
        ck_assert_int_eq(wait_for(one.sel, fd), READ);
        ck_assert_int_eq(read(fd, &(uint64_t){0}, 8), 8);
    }
    assert_ok(sel_close(one.sel));
    close(fd);
}
END_TEST

/* --- threads with small stacks --- */

enum { STACK = 256 * 1024, PAINT = 0x5a, KIB = 1024 };

typedef struct {
    void *(*body)(void *);
    void *data;
} user;

/* How much of its stack a thread has used when it ends. */
static size_t measure_stack(user what)
{
    static _Alignas(4096) unsigned char stack[STACK];
    pthread_attr_t attributes;
    pthread_t thread;
    size_t free = 0;

    memset(stack, PAINT, sizeof stack);
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, sizeof stack), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, what.body, what.data), 0);
    join_thread(thread);
    pthread_attr_destroy(&attributes);
    while (free < sizeof stack && stack[free] == PAINT)
        free++;
    return sizeof stack - free;
}

static void *do_nothing(void *unused)
{
    return unused;
}

static void *wait_in_every_way(void *sel)
{
    if (sel_select(sel, 0, NULL) != 1 || sel_select(sel, 0.002, NULL) != 1 ||
        sel_select(sel, SEL_FOREVER, NULL) != 1)
        return sel;
    return NULL;
}

static void *select_as_python(void *data)
{
    sel_compat_select(data, 1, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, 0.002);
    return NULL;
}

/* The first use of each function binds it, which takes some stack too. */
static size_t measure_use(user what)
{
    measure_stack(what);
    return measure_stack(what) - measure_stack((user){do_nothing, NULL});
}

/*
 * `select` used to have two arrays of a thousand descriptors there: more stack than
 * some threads have.
 */
START_TEST(a_wait_needs_little_stack)
{
    sel_selector *sel = open_selector(_i);
    bool is_uv = strcmp(sel_backend_name(sel), "uv") == 0;
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    if (getenv("TEST_INSTRUMENTED") == NULL) {
        size_t use = measure_use((user){wait_in_every_way, sel});

        printf("%s: %zu bytes\n", sel_backend_name(sel), use);
        ck_assert_uint_lt(use, (is_uv ? 20 : 4) * KIB);
        use = measure_use((user){select_as_python, &fd});
        printf("select.select(): %zu bytes\n", use);
        ck_assert_uint_lt(use, 12 * KIB);
    }
    assert_ok(sel_close(sel));
    close(fd);
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
    add_backend_test(tcase, a_cancelled_thread_completes_its_wakeup);
    add_backend_test(tcase, a_thread_may_be_cancelled_in_a_wait);
    add_backend_test(tcase, a_wait_needs_little_stack);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
