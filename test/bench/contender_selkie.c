/* SPDX-License-Identifier: MIT */
/* selkie, once for each backend. */
#include "contenders.h"

#include "bench.h"

#include <selkie.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>

/* WATCH_READ and WATCH_WRITE have selkie's own numbers. */
static sel_selector *open_selkie(sel_backend backend)
{
    sel_selector *sel;
    int error = sel_open(backend, &sel);

    if (error < 0)
        fail("sel_open: %s", sel_strerror(error));
    return sel;
}

static void *open_uv(int limit)
{
    (void)limit;
    return open_selkie(SEL_BACKEND_UV);
}

static void *open_epoll(int limit)
{
    (void)limit;
    return open_selkie(SEL_BACKEND_EPOLL);
}

static void *open_poll(int limit)
{
    (void)limit;
    return open_selkie(SEL_BACKEND_POLL);
}

static void *open_select(int limit)
{
    return limit <= FD_SETSIZE ? open_selkie(SEL_BACKEND_SELECT) : NULL;
}

static void close_selkie(void *sel)
{
    sel_close(sel);
}

static void check(int error)
{
    if (error < 0)
        fail("selkie: %s", sel_strerror(error));
}

static void count_call(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    ++*(long *)key->data;
}

static void count(void *sel, int fd, long *counter)
{
    check(sel_register(sel, fd, SEL_EVENT_READ, count_call, counter));
}

static void on_ready(sel_selector *sel, const sel_key *key, int mask)
{
    watcher *watch = key->data;

    (void)sel;
    watch->ready(watch, mask);
}

static void add(void *sel, watcher *watch, int events)
{
    check(sel_register(sel, watch->fd, events, on_ready, watch));
}

static void change(void *sel, watcher *watch, int events)
{
    check(sel_modify(sel, watch->fd, events, on_ready, watch));
}

static void remove_selkie(void *sel, watcher *watch)
{
    check(sel_unregister(sel, watch->fd));
}

static int look(void *sel)
{
    const sel_ready *ready;

    return sel_select(sel, 0, &ready);
}

static void wait_selkie(void *sel, double timeout)
{
    check(sel_select(sel, timeout, NULL));
    sel_dispatch(sel);
}

static void run(void *sel)
{
    check(sel_run(sel));
}

static void stop(void *sel)
{
    sel_stop(sel);
}

static void count_task(sel_selector *sel, void *awaited)
{
    if (was_last(awaited))
        sel_stop(sel);
}

static void soon(void *sel, void *unused, long *awaited)
{
    (void)unused;
    check(sel_call_soon(sel, count_task, awaited));
}

static void count_and_queue(sel_selector *sel, void *awaited)
{
    if (was_last(awaited))
        sel_stop(sel);
    else
        check(sel_call_soon(sel, count_and_queue, awaited));
}

static void each_pass(void *sel, void *unused, long *awaited)
{
    (void)unused;
    check(sel_call_soon(sel, count_and_queue, awaited));
}

static void arm(void *sel, void *timer, double delay, long *awaited)
{
    check(sel_call_later(sel, delay, count_task, awaited, timer));
}

static void cancel(void *sel, void *timer)
{
    check(sel_cancel(sel, *(sel_timer *)timer));
}

static void move(void *sel, void *timer, double delay)
{
    check(sel_reschedule(sel, *(sel_timer *)timer, delay));
}

static void post(void *sel, long *awaited)
{
    check(sel_call_soon_threadsafe(sel, count_task, awaited));
}

static void do_nothing(void *unused)
{
    (void)unused;
}

static void count_job(sel_selector *sel, void *awaited, int status)
{
    check(status);
    count_task(sel, awaited);
}

static void add_services(void *sel, long *awaited)
{
    check(sel_add_signal_handler(sel, SIGUSR1, count_task, awaited));
    check(sel_run_in_executor(sel, do_nothing, count_job, awaited));
}

#define SELKIE_CONTENDER(backend)                                               \
    const event_loop selkie_##backend##_contender = {                           \
        .name = "selkie/" #backend,                                             \
        .open = open_##backend,                                                 \
        .close = close_selkie,                                                  \
        .count = count,                                                         \
        .add = add,                                                             \
        .change = change,                                                       \
        .remove = remove_selkie,                                                \
        .look = look,                                                           \
        .wait = wait_selkie,                                                    \
        .run = run,                                                             \
        .stop = stop,                                                           \
        .soon = soon,                                                           \
        .each_pass = each_pass,                                                 \
        .timer_size = sizeof(sel_timer),                                        \
        .timer_is_handle = true,                                                \
        .arm = arm,                                                             \
        .cancel = cancel,                                                       \
        .move = move,                                                           \
        .post = post,                                                           \
        .add_services = add_services,                                           \
    }

SELKIE_CONTENDER(uv);
SELKIE_CONTENDER(epoll);
SELKIE_CONTENDER(poll);
SELKIE_CONTENDER(select);
