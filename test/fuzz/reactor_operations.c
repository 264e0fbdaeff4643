/* SPDX-License-Identifier: MIT */
/*
 * The operations that make or take back something to call, and tell the model so.
 */
#include "reactor_operations.h"

#include "fuzz.h"

#include <errno.h>
#include <signal.h>

/* -1 to 2 milliseconds, in eighths. */
static double choose_delay(const operation *op)
{
    return ((op->which % 25) - 8) / 8.0 * 1e-3;
}

void do_soon(const operation *op)
{
    item *made = new_item(SOON, choose_then(op));

    if (made != NULL)
        expect("call_soon", sel_call_soon(model.sel, run_task, made), 0);
}

void do_post(const operation *op)
{
    item *made = new_item(POSTED, choose_then(op));

    if (made != NULL)
        expect("call_soon_threadsafe",
               sel_call_soon_threadsafe(model.sel, run_task, made), 0);
}

void do_later(const operation *op)
{
    item *made = new_item(ONCE, choose_then(op));
    double delay = choose_delay(op), before = read_clock();

    if (made == NULL)
        return;
    expect("call_later",
           sel_call_later(model.sel, delay, run_timer, made, &made->timer), 0);
    set_due(made, delay, before, read_clock());
}

void do_at(const operation *op)
{
    item *made = new_item(ONCE, choose_then(op));
    double when = sel_time(model.sel) + choose_delay(op);

    if (made == NULL)
        return;
    expect("call_at", sel_call_at(model.sel, when, run_timer, made, &made->timer), 0);
    set_due(made, 0, when, when);
    made->at_once = false;
}

void do_every(const operation *op)
{
    item *made = new_item(EVERY, choose_then(op));
    double interval = (1 + op->which % 8) / 8.0 * 1e-3;

    if (made == NULL)
        return;
    made->interval = interval;
    made->start = read_clock();
    expect("call_every",
           sel_call_every(model.sel, interval, run_timer, made, &made->timer), 0);
    set_due(made, interval, made->start, read_clock());
}

static item *choose_timer(const operation *op)
{
    item *found = model.length > 0 ? &model.items[op->which % model.length] : NULL;

    return found != NULL && (found->kind == ONCE || found->kind == EVERY) ? found : NULL;
}

/* One that is due, too, and one that runs. */
void do_reschedule(const operation *op)
{
    item *found = choose_timer(op);
    sel_timer timer = found != NULL ? found->timer : (sel_timer){UINT64_MAX};
    double delay = choose_delay(op), before = read_clock();
    bool pending = found != NULL && found->pending;

    tell_step("reschedule %d", found != NULL ? op->which % model.length : -1);
    expect("reschedule", sel_reschedule(model.sel, timer, delay), pending ? 0 : -ENOENT);
    if (!pending)
        return;
    set_due(found, delay, before, read_clock());
    found->start = before + delay - found->interval;
}

void do_cancel(const operation *op)
{
    item *found = choose_timer(op);

    if (found == NULL) {
        expect("cancel of another", sel_cancel(model.sel, (sel_timer){UINT64_MAX}),
               -ENOENT);
        return;
    }
    tell_step("cancel %d", op->which % model.length);
    expect("cancel", sel_cancel(model.sel, found->timer), found->pending ? 0 : -ENOENT);
    found->pending = false;
}

void do_add_signal(const operation *op)
{
    watched_signal *signal = &model.signals[op->which % SIGNALS];
    item *made = new_item(SIGNAL, choose_then(op));

    if (made == NULL)
        return;
    tell_step("add a handler for signal %d", signal->signum);
    expect("add_signal_handler",
           sel_add_signal_handler(model.sel, signal->signum, run_signal, made), 0);
    if (signal->handler != NO_ITEM)
        model.items[signal->handler].pending = false;
    else
        signal->raised = signal->called = 0;
    signal->handler = (int)(made - model.items);
    if (model.running) /* else it would never end */
        sel_stop(model.sel);
    model.stopped |= model.running;
}

void do_remove_signal(const operation *op)
{
    watched_signal *signal = &model.signals[op->which % SIGNALS];
    bool added = signal->handler != NO_ITEM;

    tell_step("remove the handler of signal %d", signal->signum);
    expect("remove_signal_handler", sel_remove_signal_handler(model.sel, signal->signum),
           added ? 0 : -ENOENT);
    if (added)
        model.items[signal->handler].pending = false;
    signal->handler = NO_ITEM;
    signal->owed = false;
}

void do_raise(const operation *op)
{
    watched_signal *signal = &model.signals[op->which % SIGNALS];

    tell_step("raise signal %d", signal->signum);
    raise(signal->signum);
    if (signal->handler == NO_ITEM)
        return;
    signal->raised++;
    signal->owed = true;
}

void do_job(const operation *op)
{
    item *made = new_item(JOB, choose_then(op));
    item *posted = op->which % 2 == 0 ? new_item(FROM_WORK, made) : NULL;

    if (made == NULL)
        return;
    if (posted != NULL)
        made->poster = (int)(posted - model.items);
    expect("run_in_executor",
           sel_run_in_executor(model.sel, run_work, run_done, made), 0);
}

void do_register(const operation *op)
{
    item *made;
    sel_key key;

    if (sel_get_key(model.sel, always_ready, &key) == 0)
        return;
    made = new_item(READY, choose_then(op));
    if (made != NULL)
        expect("register",
               sel_register(model.sel, always_ready, SEL_EVENT_READ, run_ready, made), 0);
}

void do_unregister(const operation *op)
{
    sel_key key;

    (void)op;
    if (sel_get_key(model.sel, always_ready, &key) < 0)
        return;
    ((item *)key.data)->pending = false;
    expect("unregister", sel_unregister(model.sel, always_ready), 0);
}

void do_wakeup(const operation *op)
{
    (void)op;
    expect("wakeup", sel_wakeup(model.sel), 0);
    model.woken = true;
}

void do_stop(const operation *op)
{
    (void)op;
    tell_step("stop");
    sel_stop(model.sel);
    model.stopped = true;
}

void do_wrong(const operation *op)
{
    sel_selector *sel = model.sel;

    (void)op;
    expect("call_soon(NULL)", sel_call_soon(sel, NULL, NULL), -EINVAL);
    expect("threadsafe(NULL)", sel_call_soon_threadsafe(sel, NULL, NULL), -EINVAL);
    expect("call_later(NaN)", sel_call_later(sel, (double)NAN, run_timer, sel, NULL),
           -EINVAL);
    expect("call_later(NULL)", sel_call_later(sel, 0, NULL, NULL, NULL), -EINVAL);
    expect("call_at(NaN)", sel_call_at(sel, (double)NAN, run_timer, sel, NULL), -EINVAL);
    expect("call_every(0)", sel_call_every(sel, 0, run_timer, sel, NULL), -EINVAL);
    expect("a handler for 0", sel_add_signal_handler(sel, 0, run_signal, sel), -EINVAL);
    expect("a handler for SIGKILL", sel_add_signal_handler(sel, SIGKILL, run_signal, sel),
           -EINVAL);
    expect("remove from 99", sel_remove_signal_handler(sel, 99), -ENOENT);
    expect("no work", sel_run_in_executor(sel, NULL, NULL, NULL), -EINVAL);
    expect("cancel 0", sel_cancel(sel, (sel_timer){0}), -ENOENT);
    expect("reschedule 0", sel_reschedule(sel, (sel_timer){0}, 0), -ENOENT);
    expect("reschedule(NaN)", sel_reschedule(sel, (sel_timer){0}, (double)NAN), -EINVAL);
}
