/* SPDX-License-Identifier: MIT */
/*
 * Every call of the library's comes in here, and is compared with what was asked for.
 *
 * Passes are counted by sel_get_stats(), since sel_run() makes its own; a callback of
 * pass n is called after n waits have returned.
 */
#include "reactor_model.h"

#include "fuzz.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* Of seconds as a double, on a machine that has been up for years. */
static const double ROUNDING = 1e-7;

reactor_model model;

static const int signums[SIGNALS] = {SIGURG, SIGWINCH, SIGCHLD};

void expect(const char *call, int result, int wanted)
{
    if (result != wanted)
        broken("%s: %s answered %d, not %d", sel_backend_name(model.sel), call, result,
               wanted);
}

double read_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint64_t count_passes(void)
{
    sel_stats stats;

    expect("get_stats", sel_get_stats(model.sel, &stats, sizeof stats), 0);
    return stats.passes;
}

void open_model(sel_backend backend, void (*work)(const void *then))
{
    memset(&model, 0, sizeof model);
    model.work = work;
    for (int i = 0; i < SIGNALS; i++)
        model.signals[i] = (watched_signal){.signum = signums[i], .handler = NO_ITEM};
    if (sel_open(backend, &model.sel) != 0)
        broken("sel_open failed");
}

void close_model(void)
{
    model.closing = true;
    expect("close", sel_close(model.sel), 0);
    model.closing = false;
    model.sel = NULL;
    for (int i = 0; i < model.length; i++)
        if (model.items[i].kind == JOB && model.items[i].pending)
            broken("the result of job %d never came", i);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;

        sigaction(signums[i], NULL, &now);
        if (now.sa_handler != SIG_DFL)
            broken("signal %d has a handler after sel_close()", signums[i]);
    }
}

item *new_item(item_kind kind, const void *then)
{
    item *made = &model.items[model.length];

    if (model.length == MOST_ITEMS)
        return NULL;
    *made = (item){
        .kind = kind,
        .pending = true,
        .then = then,
        .pass = count_passes(),
        .dispatch = model.dispatches,
        .inside = model.dispatching,
        .poster = NO_ITEM,
    };
    model.length++;
    return made;
}

void drop_item(item *dropped)
{
    dropped->pending = false;
}

static int number_of_item(const item *one)
{
    return (int)(one - model.items);
}

void set_due(item *timer, double delay, double before, double after)
{
    timer->lowest = before + delay - ROUNDING;
    timer->highest = after + delay + ROUNDING;
    timer->at_once = delay <= 0;
    timer->pass = count_passes();
    timer->dispatch = model.dispatches;
    timer->inside = model.dispatching;
}

/* --- what a call must be --- */

static void begin_call(const item *called)
{
    if (!model.dispatching || model.closing)
        broken("item %d was called outside a dispatch", number_of_item(called));
    if (!called->pending)
        broken("item %d was called once more, or after it was taken back",
               number_of_item(called));
    tell_step("item %d is called", number_of_item(called));
    model.calls++;
    model.all_calls++;
}

/* Two dispatches after one wait are one pass only for what has to be waited for. */
static void check_task_pass(const item *called)
{
    if (called->inside && called->dispatch == model.dispatches &&
        called->pass == count_passes())
        broken("item %d was called in the pass it was made in", number_of_item(called));
}

static void check_pass_of(const item *called)
{
    if (called->pass == count_passes())
        broken("item %d was called in the pass it was made in", number_of_item(called));
}

/* Both of this thread. */
static bool is_queued(const item *one)
{
    return one->kind == SOON || one->kind == POSTED;
}

static void check_queue_order(const item *called)
{
    for (const item *other = model.items; other < called; other++)
        if (is_queued(other) && other->pending)
            broken("item %d was called before %d", number_of_item(called),
                   number_of_item(other));
}

void run_task(sel_selector *sel, void *data)
{
    item *called = data;

    expect("the selector of a task", sel != model.sel, 0);
    begin_call(called);
    if (called->kind == FROM_WORK) {
        const item *job = called->then;

        if (!atomic_load(&job->worked))
            broken("item %d was called and never posted", number_of_item(called));
        called->pending = false;
        return;
    }
    check_task_pass(called);
    check_queue_order(called);
    called->pending = false;
    model.work(called->then);
}

static bool is_timer(const item *one)
{
    return one->kind == ONCE || one->kind == EVERY;
}


/* Only where it is certain: both were there before the wait, and one is due first. */
static void check_timer_order(const item *called)
{
    uint64_t pass = count_passes();

    for (const item *other = model.items; other < model.items + model.length; other++) {
        bool waited = is_timer(other) && other->pending && other->pass < pass;

        if (other != called && waited && other->highest < called->lowest)
            broken("timer %d, due at %.9f, was called before %d, due at %.9f",
                   number_of_item(called), called->lowest, number_of_item(other),
                   other->highest);
    }
}

/* Its next run: when exactly depends on when this one ends. */
static void set_next_run(item *timer)
{
    timer->start += timer->interval;
    set_due(timer, timer->interval, timer->start, HUGE_VAL);
}

void run_timer(sel_selector *sel, void *data)
{
    item *called = data;
    double now = read_clock();

    expect("the selector of a timer", sel != model.sel, 0);
    begin_call(called);
    if (now < called->lowest)
        broken("timer %d was called %g s early", number_of_item(called),
               called->lowest - now);
    check_task_pass(called);
    check_timer_order(called);
    called->pending = called->kind == EVERY;
    called->runs++;
    if (called->kind == EVERY)
        set_next_run(called);
    model.work(called->then);
    if (called->pending && called->runs == MOST_RUNS) {
        expect("cancel in its own task", sel_cancel(sel, called->timer), 0);
        called->pending = false;
    }
}

void run_signal(sel_selector *sel, void *data)
{
    item *called = data;
    watched_signal *caught = NULL;

    expect("the selector of a signal handler", sel != model.sel, 0);
    begin_call(called);
    for (int i = 0; i < SIGNALS; i++)
        if (model.signals[i].handler == number_of_item(called))
            caught = &model.signals[i];
    if (caught == NULL || ++caught->called > caught->raised)
        broken("the handler %d was called without a signal", number_of_item(called));
    caught->owed = false;
    model.work(called->then);
}

void run_ready(sel_selector *sel, const sel_key *key, int mask)
{
    item *called = key->data;
    int fd = key->fd;

    begin_call(called);
    check_pass_of(called);
    expect("the mask of a callback", mask, SEL_EVENT_READ);
    if (++called->runs == MOST_RUNS) {
        called->pending = false;
        expect("unregister", sel_unregister(sel, fd), 0);
    }
    model.work(called->then);
}

/* On a thread of the pool. */
void run_work(void *data)
{
    item *job = data;
    int error;

    if (atomic_exchange(&job->worked, true))
        broken("job %d was done twice", number_of_item(job));
    if (job->poster == NO_ITEM)
        error = sel_wakeup(model.sel);
    else
        error = sel_call_soon_threadsafe(model.sel, run_task, &model.items[job->poster]);
    expect("a call in work", error, 0);
}

void run_done(sel_selector *sel, void *data, int status)
{
    item *job = data;
    bool worked = atomic_load(&job->worked);

    expect("the selector of a result", sel != model.sel, 0);
    if (!job->pending || !(model.dispatching || model.closing))
        broken("the result of job %d came once more", number_of_item(job));
    if (status != (worked ? 0 : -ECANCELED) || (!worked && !model.closing))
        broken("the result of job %d is %d", number_of_item(job), status);
    if (job->poster != NO_ITEM && !worked)
        model.items[job->poster].pending = false;
    job->pending = false;
    model.calls += model.dispatching;
    model.all_calls += model.dispatching;
    model.work(job->then);
}

/* --- what must have been called --- */

moment begin_pass(void)
{
    moment now = {.clock = read_clock(), .pass = count_passes(), .length = model.length};

    memcpy(now.signals, model.signals, sizeof now.signals);
    return now;
}

static bool had_to_be_called(const item *one, const moment *begin)
{
    if (is_queued(one))
        return true;
    return is_timer(one) && one->pass <= begin->pass &&
           (one->at_once || one->highest <= begin->clock);
}

static bool was_forgotten(const watched_signal *before, const watched_signal *after)
{
    return before->owed && after->owed && before->handler == after->handler &&
           before->called == after->called;
}

void check_pass(const moment *begin)
{
    for (int i = 0; i < begin->length; i++)
        if (model.items[i].pending && had_to_be_called(&model.items[i], begin))
            broken("item %d was not called", i);
    for (int i = 0; i < SIGNALS; i++)
        if (was_forgotten(&begin->signals[i], &model.signals[i]))
            broken("the handler of signal %d was not called", model.signals[i].signum);
}

bool is_anything_pending(void)
{
    for (int i = 0; i < model.length; i++)
        if (model.items[i].pending)
            return true;
    return false;
}

void check_statistics(void)
{
    sel_stats stats;

    expect("get_stats", sel_get_stats(model.sel, &stats, sizeof stats), 0);
    if (stats.callbacks != model.all_calls)
        broken("%llu calls were counted, not %llu", (unsigned long long)stats.callbacks,
               (unsigned long long)model.all_calls);
}

void check_timeout(void)
{
    double now = read_clock(), timeout = sel_get_timeout(model.sel);

    if (!(timeout >= 0))
        broken("sel_get_timeout() answered %g", timeout);
    for (int i = 0; i < model.length; i++) {
        const item *one = &model.items[i];
        bool queued = is_queued(one);
        double left = queued || one->at_once ? 0 : one->highest - now;

        if (one->pending && (queued || is_timer(one)) && timeout > fmax(left, 0))
            broken("sel_get_timeout() answered %g, item %d has %g", timeout, i, left);
    }
}

/* Handles of the program's may keep it alive when nothing else does. */
void check_alive(void)
{
    int alive = sel_is_alive(model.sel);

    if (alive != 1 && (alive != 0 || is_anything_pending()))
        broken("sel_is_alive() answered %d", alive);
}
