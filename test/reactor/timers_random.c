/* SPDX-License-Identifier: MIT */
/*
 * Random timers against a model: made, rescheduled, cancelled and run in any order,
 * also inside tasks.
 *
 * For each timer the model knows two nanoseconds between which its due time lies. So it
 * knows without reading the clock what must come first: whatever is certainly due
 * before a timer that runs must have run before it. TEST_TIMER_OPERATIONS says how many
 * operations are made.
 */
#include "support/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMERS = 300, DEAD = 64, OPERATIONS = 100000 };

static const int64_t millisecond = 1000000;

/* By how much seconds in a double may be off, on a machine that has been up for years. */
static const int64_t rounding = 16;

typedef struct {
    sel_timer timer; /* id 0: free */
    uint64_t made;   /* counts all that were made or rescheduled */
    int64_t first;   /* due then or later, */
    int64_t last;    /* but not after that */
    double when;     /* of sel_call_at(), else 0 */
    int64_t armed_pass; /* made or rescheduled: does not run in it */
    int64_t ran_pass;
    int64_t start[2]; /* of a repeating timer: between these */
    int64_t interval; /* 0: runs once */
    bool at_once;     /* in the next pass, whatever the clock says */
} model_timer;

static struct {
    sel_selector *sel;
    uint64_t random;
    uint64_t made;
    int64_t pass;
    int64_t pass_begin;     /* when its wait began */
    int64_t latest;         /* of those that ran in this pass: the latest `first`, */
    const model_timer *one; /* and the last that was made for a time, */
    model_timer copy;       /* as it was */
    int alive, runs, cancelled, rescheduled;
    bool ending; /* nothing new */
    model_timer timers[TIMERS];
    sel_timer dead[DEAD];
    int deaths;
} model;

#define require(condition)                                                      \
    do {                                                                        \
        if (!(condition))                                                       \
            ck_abort_msg("after %" PRIu64 " timers and %d runs: " #condition,   \
                         model.made, model.runs);                               \
    } while (0)

static int choose(int count)
{
    return (int)(next_random(&model.random) % (uint64_t)count);
}

static void bury(model_timer *timer)
{
    model.dead[model.deaths++ % DEAD] = timer->timer;
    timer->timer.id = 0;
    model.alive--;
}

/* Nothing that ran before it in this pass was certainly due after it. */
static void assert_in_order(const model_timer *timer)
{
    require(timer->last >= model.latest);
    if (timer->first > model.latest)
        model.latest = timer->first;
    if (timer->when == 0)
        return;
    if (model.one != NULL) {
        require(timer->when >= model.copy.when);
        require(timer->when > model.copy.when || timer->made > model.copy.made);
    }
    model.one = timer;
    model.copy = *timer;
}

/* The first multiple of the interval after the start that is later than `now`. */
static int64_t next_run(const model_timer *timer, int64_t start, int64_t other_start,
                        int64_t now)
{
    int64_t gone = now > other_start ? (now - other_start) / timer->interval : 0;

    return start + (gone + 1) * timer->interval;
}

static void operate(void);

static void on_run(sel_selector *sel, void *data)
{
    model_timer *timer = data;
    uint64_t id = timer->timer.id, made = timer->made;

    require(sel == model.sel);
    require(id != 0);
    require(timer->armed_pass < model.pass);
    require(timer->ran_pass < model.pass);
    require(now_ns() >= timer->first);
    assert_in_order(timer);
    model.runs++;
    timer->ran_pass = model.pass;
    timer->at_once = false;
    if (timer->interval == 0)
        bury(timer);
    for (int i = choose(4); i > 0 && !model.ending; i--)
        operate();
    /* else it was cancelled and is another's, or was rescheduled */
    if (timer->interval != 0 && timer->timer.id == id && timer->made == made)
        timer->first = next_run(timer, timer->start[0], timer->start[1] + rounding, now_ns());
}

/* --- operations --- */

static model_timer *find_free(void)
{
    for (int i = 0, at = choose(TIMERS); i < TIMERS; i++, at = (at + 1) % TIMERS)
        if (model.timers[at].timer.id == 0)
            return &model.timers[at];
    return NULL;
}

static void set_due(model_timer *timer, int64_t first, int64_t last)
{
    timer->first = first;
    timer->last = last + rounding;
    timer->made = ++model.made;
    timer->armed_pass = model.pass;
}

static int64_t choose_delay(void)
{
    return choose(4) == 0 ? -choose(3) * millisecond : choose(5000) * 1000;
}

static void make_later(model_timer *timer)
{
    int64_t delay = choose_delay(), before = now_ns();

    require(sel_call_later(model.sel, (double)delay / 1e9, on_run, timer,
                           &timer->timer) == 0);
    timer->at_once = delay <= 0;
    set_due(timer, before + delay, now_ns() + delay);
}

/* At one of a few times, so that some are equal. */
static void make_at(model_timer *timer)
{
    int64_t slice = 20000, now = now_ns(), at = (now / slice - 30 + choose(200)) * slice;

    timer->when = (double)at / 1e9;
    require(sel_call_at(model.sel, timer->when, on_run, timer, &timer->timer) == 0);
    timer->at_once = at < now - rounding;
    set_due(timer, at - rounding, at);
}

static void make_every(model_timer *timer)
{
    timer->interval = 1000000 + choose(4000) * 1000;
    timer->start[0] = now_ns();
    require(sel_call_every(model.sel, (double)timer->interval / 1e9, on_run, timer,
                           &timer->timer) == 0);
    timer->start[1] = now_ns();
    set_due(timer, timer->start[0] + timer->interval, timer->start[1] + timer->interval);
}

static bool was_used(sel_timer timer)
{
    for (int i = 0; i < DEAD; i++)
        if (model.dead[i].id == timer.id)
            return true;
    for (int i = 0; i < TIMERS; i++)
        if (model.timers[i].made != 0 && model.timers[i].timer.id == timer.id)
            return true;
    return false;
}

static void make(void)
{
    model_timer *timer = find_free();
    int kind = choose(10);

    if (timer == NULL)
        return;
    *timer = (model_timer){.ran_pass = -1};
    if (kind < 5)
        make_later(timer);
    else if (kind < 9)
        make_at(timer);
    else
        make_every(timer);
    timer->made = 0;
    require(!was_used(timer->timer));
    timer->made = model.made;
    model.alive++;
}

static void cancel(void)
{
    model_timer *timer = &model.timers[choose(TIMERS)];

    if (timer->timer.id == 0)
        return;
    require(sel_cancel(model.sel, timer->timer) == 0);
    bury(timer);
    model.cancelled++;
}

/* Also one that is due in this pass, and one that is running. */
static void reschedule(void)
{
    model_timer *timer = &model.timers[choose(TIMERS)];
    int64_t delay = choose_delay(), before = now_ns();

    if (timer->timer.id == 0)
        return;
    require(sel_reschedule(model.sel, timer->timer, (double)delay / 1e9) == 0);
    timer->when = 0;
    timer->at_once = delay <= 0;
    set_due(timer, before + delay, now_ns() + delay);
    timer->start[0] = timer->first;
    timer->start[1] = timer->last;
    model.rescheduled++;
}

static void operate(void)
{
    sel_timer dead = model.dead[choose(DEAD)];
    int kind = choose(20);

    if (kind < 11)
        make();
    else if (kind < 16)
        cancel();
    else if (kind < 18)
        reschedule();
    else if (kind < 19)
        require(sel_cancel(model.sel, dead) == -ENOENT);
    else
        require(sel_reschedule(model.sel, dead, 0) == -ENOENT);
}

/* --- passes --- */

/*
 * Of the timers that were made before the pass and did not run in it, none was due
 * before one that did, had to run at once, or was due when the wait began.
 */
static void assert_none_left_behind(void)
{
    for (int i = 0; i < TIMERS; i++) {
        model_timer *timer = &model.timers[i];

        if (timer->timer.id == 0 || timer->armed_pass == model.pass)
            continue;
        if (timer->ran_pass == model.pass) {
            timer->last = next_run(timer, timer->start[1], timer->start[0], now_ns()) +
                          rounding;
            continue;
        }
        require(!timer->at_once);
        require(timer->last >= model.latest);
        require(timer->last > model.pass_begin);
    }
}

static void make_pass(double timeout)
{
    int runs = model.runs;

    model.pass_begin = now_ns();
    model.pass++;
    model.latest = INT64_MIN;
    model.one = NULL;
    require(sel_select(model.sel, timeout, NULL) == 0);
    require(sel_dispatch(model.sel) == model.runs - runs);
    assert_none_left_behind();
}

static void assert_only_endless_left(void)
{
    for (int i = 0; i < TIMERS; i++)
        if (model.timers[i].timer.id != 0) {
            require(model.timers[i].interval != 0);
            require(sel_cancel(model.sel, model.timers[i].timer) == 0);
            bury(&model.timers[i]);
        }
}

static int choose_operations(void)
{
    const char *given = getenv("TEST_TIMER_OPERATIONS");

    return given != NULL ? atoi(given) : OPERATIONS;
}

START_TEST(random_timers_run_as_a_model_says)
{
    int operations = choose_operations();

    memset(&model, 0, sizeof model);
    model.random = choose_seed();
    model.sel = open_selector(_i);
    for (int i = 0; i < operations; i++) {
        int kind = choose(100);

        if (kind < 70)
            operate();
        else
            make_pass(kind < 97 ? 0 : choose(1500) / 1e6);
    }
    model.ending = true;
    for (int64_t end = now_ns() + 20 * millisecond; now_ns() < end;)
        make_pass(0.001);
    printf("%s: %" PRIu64 " made, %d runs, %d cancelled, %d rescheduled\n",
           sel_backend_name(model.sel), model.made, model.runs, model.cancelled,
           model.rescheduled);
    assert_only_endless_left();
    ck_assert_int_eq(model.alive, 0);
    ck_assert_int_gt(model.runs, operations / 20);
    assert_ok(sel_run(model.sel));
    assert_ok(sel_close(model.sel));
}
END_TEST

/* --- a crowd --- */

typedef struct {
    double when;
    int made;
    sel_timer timer;
} entry;

static struct {
    const entry *next, *end;
    int wrong;
} expected;

static int compare_entries(const void *a, const void *b)
{
    const entry *left = a, *right = b;

    if (left->when != right->when)
        return left->when < right->when ? -1 : 1;
    return left->made < right->made ? -1 : 1;
}

static void on_turn(sel_selector *sel, void *data)
{
    (void)sel;
    expected.wrong += expected.next == expected.end ||
                      expected.next->made != (int)(intptr_t)data;
    expected.next++;
}

/* All long due, at few enough times that some are equal; cancelled ones leave gaps. */
static int make_crowd(sel_selector *sel, entry *entries, int count, uint64_t *random)
{
    int length = 0, wrong = 0;

    for (int i = 0; i < count; i++) {
        entry *one = &entries[length];

        *one = (entry){.when = (double)(next_random(random) % (uint64_t)count) - 1e6,
                       .made = i};
        wrong += sel_call_at(sel, one->when, on_turn, (void *)(intptr_t)i, &one->timer) != 0;
        length++;
        if (next_random(random) % 3 > 0)
            continue;
        one = &entries[next_random(random) % (uint64_t)length];
        wrong += sel_cancel(sel, one->timer) != 0;
        *one = entries[--length];
    }
    ck_assert_int_eq(wrong, 0);
    return length;
}

START_TEST(a_hundred_thousand_run_in_the_order_that_a_sort_gives)
{
    int count = choose_operations();
    uint64_t random = choose_seed();
    sel_selector *sel = open_selector(_i);
    entry *entries = calloc((size_t)count, sizeof *entries);

    ck_assert_ptr_nonnull(entries);
    for (int round = 0; round < 2; round++) {
        int length = make_crowd(sel, entries, count, &random);

        qsort(entries, (size_t)length, sizeof *entries, compare_entries);
        expected.next = entries;
        expected.end = entries + length;
        expected.wrong = 0;
        ck_assert_int_eq(pass(sel), length);
        ck_assert_ptr_eq(expected.next, expected.end);
        ck_assert_int_eq(expected.wrong, 0);
    }
    free(entries);
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timers_random");
    TCase *tcase = new_tcase("random timers");

    tcase_set_timeout(tcase, 600);
    add_backend_test(tcase, random_timers_run_as_a_model_says);
    add_backend_test(tcase, a_hundred_thousand_run_in_the_order_that_a_sort_gives);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
