/* SPDX-License-Identifier: MIT */
/*
 * Many signals, many selectors: dispositions come back with the last handler, and no
 * signal is forgotten.
 */
#include "support/dispositions.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, NUMBERS = 5 };

static const int numbers[NUMBERS] = {SIGUSR1, SIGUSR2, SIGHUP, SIGWINCH, SIGTERM};

START_TEST(the_disposition_comes_back_with_the_last_handler)
{
    for (int round = 0; round < 12; round++) {
        struct sigaction before = install(SIGUSR1, round % 3), now;
        bool is_closed = round & 1;
        sel_selector *sel = open_selector(_i), *other = open_selector(_i);

        for (int again = 0; again < 2; again++) {
            assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
            assert_ok(sel_add_signal_handler(other, SIGUSR1, note, "s"));
            assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
            assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
            raise(SIGUSR1);
            ck_assert_int_eq(wait_and_pass(other), 1);
            assert_noted("s");
            if (is_closed)
                break;
            assert_ok(sel_remove_signal_handler(other, SIGUSR1));
            now = disposition_of(SIGUSR1);
            assert_same(&now, &before);
        }
        assert_ok(sel_close(other));
        now = disposition_of(SIGUSR1);
        assert_same(&now, &before);
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* --- several --- */

static volatile sig_atomic_t burst[NUMBERS];
static int called[NUMBERS];

static void count_signal(sel_selector *sel, void *data)
{
    (void)sel;
    called[(intptr_t)data]++;
}

/* Fewer calls than signals, as with the kernel's own, but no number is forgotten. */
static void assert_burst_told(void)
{
    for (int i = 0; i < NUMBERS; i++) {
        ck_assert_int_ge(called[i], burst[i] > 0);
        ck_assert_int_le(called[i], burst[i]);
        burst[i] = called[i] = 0;
    }
}

static void open_for_bursts(sel_selector **ret_sel, int backend)
{
    *ret_sel = open_selector(backend);
    for (intptr_t i = 0; i < NUMBERS; i++)
        assert_ok(sel_add_signal_handler(*ret_sel, numbers[i], count_signal, (void *)i));
}

START_TEST(of_signals_in_bursts_each_number_is_told)
{
    uint64_t seed = choose_seed();
    int signals = choose_rounds(20000), mismatches = 0;
    struct sigaction before[NUMBERS];
    sel_selector *sel;

    for (int i = 0; i < NUMBERS; i++)
        before[i] = install(numbers[i], i % 3);
    open_for_bursts(&sel, _i);
    for (int sent = 0; sent < signals;) {
        int size = 1 + (int)(next_random(&seed) % 60);

        for (int i = 0; i < size; i++, sent++) {
            int which = (int)(next_random(&seed) % NUMBERS);

            burst[which]++;
            mismatches += kill(getpid(), numbers[which]) != 0;
        }
        wait_and_pass(sel);
        assert_burst_told();
        ck_assert_int_eq(pass(sel), 0);
    }
    ck_assert_int_eq(mismatches, 0);
    assert_ok(sel_close(sel));
    for (int i = 0; i < NUMBERS; i++) {
        struct sigaction now = disposition_of(numbers[i]);

        assert_same(&now, &before[i]);
    }
}
END_TEST

static void flood(sel_selector *sel, int signals)
{
    for (int i = 1; i < signals; i++)
        raise(numbers[0]);
    raise(numbers[1]);
    while (pass(sel) > 0)
        continue;
}

START_TEST(a_flood_of_one_signal_does_not_hide_another)
{
    sel_selector *sel;

    open_for_bursts(&sel, _i);
    for (int round = 0; round < 3; round++) {
        flood(sel, 4096);
        burst[0] = 4095;
        burst[1] = 1;
        assert_burst_told();
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* libuv drops what it can't hold; no handler of the process may block or end it. */
START_TEST(a_flood_that_libuv_cannot_hold_does_no_harm)
{
    sel_selector *sel;

    open_for_bursts(&sel, _i);
    flood(sel, 20000);
    ck_assert_int_ge(called[0], 1);
    called[0] = called[1] = 0;
    flood(sel, 2);
    burst[0] = burst[1] = 1;
    assert_burst_told();
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    int backend;
    int calls;
    atomic_int *listening;
} listener;

static void count_and_stop(sel_selector *sel, void *data)
{
    ((listener *)data)->calls++;
    sel_stop(sel);
}

static void *listen_alone(void *data)
{
    listener *one = data;
    sel_selector *sel = open_selector(one->backend);

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, count_and_stop, one));
    atomic_fetch_add(one->listening, 1);
    assert_ok(sel_run(sel));
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_ok(sel_close(sel));
    return NULL;
}

START_TEST(one_signal_is_told_to_every_selector_on_its_own_thread)
{
    enum { THREADS = 4 };
    struct sigaction before = install(SIGUSR1, 1), now;

    for (int round = 0; round < 10; round++) {
        atomic_int listening = 0;
        listener listeners[THREADS];
        pthread_t threads[THREADS];

        for (int i = 0; i < THREADS; i++) {
            listeners[i] = (listener){.backend = _i, .listening = &listening};
            start_thread(&threads[i], listen_alone, &listeners[i]);
        }
        while (atomic_load(&listening) < THREADS)
            sched_yield();
        ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
        for (int i = 0; i < THREADS; i++) {
            join_thread(threads[i]);
            ck_assert_int_eq(listeners[i].calls, 1);
        }
    }
    now = disposition_of(SIGUSR1);
    assert_same(&now, &before);
}
END_TEST

/* --- beside I/O --- */

enum { STREAM = 1 << 20 };

typedef struct {
    int sent, received, wrong;
    int ticks;
} exchange;

static unsigned char byte_at(int position)
{
    return (unsigned char)(position ^ position >> 8 ^ position >> 16);
}

static void send_some(sel_selector *sel, const sel_key *key, int mask)
{
    exchange *both = key->data;
    unsigned char bytes[977];
    int length = 0;
    ssize_t sent;

    (void)mask;
    for (; length < (int)sizeof bytes && both->sent + length < STREAM; length++)
        bytes[length] = byte_at(both->sent + length);
    sent = write(key->fd, bytes, (size_t)length);
    ck_assert(sent > 0 || errno == EAGAIN || errno == EINTR);
    both->sent += sent > 0 ? (int)sent : 0;
    if (both->sent == STREAM)
        assert_ok(sel_unregister(sel, key->fd));
}

static void receive_some(sel_selector *sel, const sel_key *key, int mask)
{
    exchange *both = key->data;
    unsigned char bytes[1500];
    ssize_t length = read(key->fd, bytes, sizeof bytes);

    (void)mask;
    ck_assert(length > 0 || errno == EAGAIN || errno == EINTR);
    for (ssize_t i = 0; i < length; i++)
        both->wrong += bytes[i] != byte_at(both->received++);
    if (both->received == STREAM)
        sel_stop(sel);
}

START_TEST(a_thousand_handled_signals_a_second_cost_no_byte_and_no_wait)
{
    static const struct itimerval often = {{0, 1000}, {0, 1000}}, off = {.it_value = {0}};
    sel_selector *sel = open_selector(_i);
    exchange both = {0};
    int ends[2];

    make_socketpair(ends);
    set_nonblocking(ends[0], true);
    set_nonblocking(ends[1], true);
    assert_ok(sel_add_signal_handler(sel, SIGALRM, count_task, &both.ticks));
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_WRITE, send_some, &both));
    assert_ok(sel_register(sel, ends[1], READ, receive_some, &both));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(both.wrong, 0);
    ck_assert_int_eq(both.sent, STREAM);
    for (int64_t start = now_ns(); both.ticks < 20 || now_ns() - start < 50 * 1000000;)
        wait_and_pass(sel);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals_many");
    TCase *tcase = new_tcase("many signals");

    add_backend_test(tcase, the_disposition_comes_back_with_the_last_handler);
    add_backend_test(tcase, of_signals_in_bursts_each_number_is_told);
    add_backend_test(tcase, a_flood_of_one_signal_does_not_hide_another);
    add_backend_test(tcase, a_flood_that_libuv_cannot_hold_does_no_harm);
    add_backend_test(tcase, one_signal_is_told_to_every_selector_on_its_own_thread);
    add_backend_test(tcase,
                     a_thousand_handled_signals_a_second_cost_no_byte_and_no_wait);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
