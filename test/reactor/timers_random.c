/* SPDX-License-Identifier: MIT */
/*
 * Random timers against a model: made, cancelled and run in any order, inside
 * tasks too.
 *
 * The model knows of each timer between which two milliseconds its due time
 * lies, which are mostly the same.  What has to come first is then known without
 * a look at the clock: whatever is certainly due before a timer that runs has
 * run before it.  TEST_TIMER_OPERATIONS says how many operations are made.
 */
#include "support/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMERS = 300, DEAD = 64, OPERATIONS = 50000 };

static const int64_t millisecond = 1000000;

/* Seconds as a double may be a nanosecond more than was meant. */
static const int64_t rounding = 1;

typedef struct {
    sel_timer timer; /* id 0: free */
    uint64_t made;   /* counts all that were made */
    int64_t first_ms;  /* due then or later */
    int64_t last_ms;   /* but not after that */
    int64_t made_pass; /* does not run in it */
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
    int64_t pass_begin; /* when its wait began */
    int64_t latest_ms;  /* of those that ran in this pass: the latest first_ms, */
    uint64_t latest_made; /* and of those exactly then the one made last */
    int alive, runs, cancelled;
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

static bool is_exact(const model_timer *timer)
{
    return timer->first_ms == timer->last_ms;
}

/* What ran before it in this pass was not certainly due after it. */
static void assert_in_order(const model_timer *timer)
{
    bool is_equal = is_exact(timer) && timer->last_ms == model.latest_ms;

    require(timer->last_ms >= model.latest_ms);
    require(!is_equal || timer->made > model.latest_made);
    if (timer->first_ms > model.latest_ms || is_equal) {
        model.latest_ms = timer->first_ms;
        model.latest_made = is_exact(timer) ? timer->made : 0;
    }
}

/* The first multiple of the interval after the start that is later than `now`. */
static int64_t next_run(const model_timer *timer, int64_t start, int64_t other_start,
                        int64_t now)
{
    int64_t gone = (now - other_start) / timer->interval;

    return ms_after(start + (gone + 1) * timer->interval);
}

static void operate(void);

static void on_run(sel_selector *sel, void *data)
{
    model_timer *timer = data;
    uint64_t id = timer->timer.id;

    require(sel == model.sel);
    require(id != 0);
    require(timer->made_pass < model.pass);
    require(timer->ran_pass < model.pass);
    require(now_ns() / millisecond >= timer->first_ms);
    assert_in_order(timer);
    model.runs++;
    timer->ran_pass = model.pass;
    if (timer->interval == 0)
        bury(timer);
    for (int i = choose(4); i > 0 && !model.ending; i--)
        operate();
    if (timer->interval != 0 && timer->timer.id == id) /* else cancelled, or another's */
        timer->first_ms = next_run(timer, timer->start[0], timer->start[1], now_ns());
}

/* --- operations --- */

static model_timer *find_free(void)
{
    for (int i = 0, at = choose(TIMERS); i < TIMERS; i++, at = (at + 1) % TIMERS)
        if (model.timers[at].timer.id == 0)
            return &model.timers[at];
    return NULL;
}

static void make_later(model_timer *timer)
{
    int64_t delay = choose(4) == 0 ? -choose(2) * millisecond : choose(5000) * 1000;
    int64_t before = now_ns();

    require(sel_call_later(model.sel, (double)delay / 1e9, on_run, timer,
                           &timer->timer) == 0);
    timer->at_once = delay <= 0;
    timer->first_ms = delay <= 0 ? before / millisecond : ms_after(before + delay);
    timer->last_ms = ms_after(now_ns() + (delay > 0 ? delay + rounding : 0));
}

/* In the middle of a millisecond, which is then the one before the due one. */
static void make_at(model_timer *timer)
{
    int64_t now_ms = now_ns() / millisecond, at_ms = now_ms - 3 + choose(9);

    require(sel_call_at(model.sel, ((double)at_ms + 0.5) / 1e3, on_run, timer,
                        &timer->timer) == 0);
    timer->at_once = at_ms < now_ms;
    timer->first_ms = timer->last_ms = at_ms + 1;
}

static void make_every(model_timer *timer)
{
    timer->interval = 1000000 + choose(4000) * 1000;
    timer->start[0] = now_ns();
    require(sel_call_every(model.sel, (double)timer->interval / 1e9, on_run, timer,
                           &timer->timer) == 0);
    timer->start[1] = now_ns();
    timer->first_ms = ms_after(timer->start[0] + timer->interval);
    timer->last_ms = ms_after(timer->start[1] + timer->interval + rounding);
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
    *timer = (model_timer){.made_pass = model.pass, .ran_pass = -1};
    if (kind < 5)
        make_later(timer);
    else if (kind < 9)
        make_at(timer);
    else
        make_every(timer);
    require(!was_used(timer->timer));
    timer->made = ++model.made;
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

static void operate(void)
{
    int kind = choose(10);

    if (kind < 6)
        make();
    else if (kind < 9)
        cancel();
    else
        require(sel_cancel(model.sel, model.dead[choose(DEAD)]) == -ENOENT);
}

/* --- passes --- */

/*
 * Nothing that was made before the pass and did not run in it was due before
 * something that did, had to run at once, or was due when the wait began: with
 * two milliseconds for the clocks of coarser kernels.
 */
static void assert_none_left_behind(void)
{
    for (int i = 0; i < TIMERS; i++) {
        model_timer *timer = &model.timers[i];

        if (timer->timer.id == 0)
            continue;
        if (timer->ran_pass == model.pass) {
            timer->last_ms = next_run(timer, timer->start[1] + rounding, timer->start[0],
                                      now_ns());
            continue;
        }
        if (timer->made_pass == model.pass)
            continue;
        require(!timer->at_once);
        require(timer->last_ms >= model.latest_ms);
        require(timer->last_ms + 2 > model.pass_begin / millisecond);
    }
}

static void make_pass(double timeout)
{
    int runs = model.runs;

    model.pass_begin = now_ns();
    model.pass++;
    model.latest_ms = INT64_MIN;
    model.latest_made = 0;
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
    printf("%s: %" PRIu64 " made, %d runs, %d cancelled, %d at most alive\n",
           sel_backend_name(model.sel), model.made, model.runs, model.cancelled, TIMERS);
    assert_only_endless_left();
    ck_assert_int_eq(model.alive, 0);
    ck_assert_int_gt(model.runs, operations / 20);
    assert_ok(sel_run(model.sel));
    assert_ok(sel_close(model.sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timers_random");
    TCase *tcase = new_tcase("random timers");

    tcase_set_timeout(tcase, 600);
    add_backend_test(tcase, random_timers_run_as_a_model_says);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
