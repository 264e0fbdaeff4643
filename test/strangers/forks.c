/* SPDX-License-Identifier: MIT */
/*
 * Forks in the middle of everything: from tasks, callbacks, timers and `done`s, while
 * jobs run.  A child ends inside the callback or returns from it; it follows, or closes,
 * or does nothing, or closes every descriptor first; it leaves by _exit() or by exit(),
 * which runs what a library put there.
 *
 *   errors           -ECHILD in a forked child that has not called sel_after_fork()
 *   sel_callback     in a child that it forks it may return; the pass ends there, and
 *                    sel_dispatch() says -ECHILD
 *   sel_after_fork   the child's selector has the keys, tasks and timers it had, and
 *                    signal handlers; nothing it does is felt in the parent; -EBUSY
 *                    inside a callback; executor work from before is the parent's;
 *                    -EBADF where the child has closed what it needs
 *   sel_close        in a forked child it leaves the parent's selector alone
 *   sel_run          goes on for keys, tasks, timers and jobs, and then returns 0
 *
 * The parent, meanwhile, misses nothing: every byte, task, timer and job of its own.
 */
#include "stranger.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 4, STEPS = 20, MOST_CHILDREN = 8 };

struct process {
    sel_selector *sel;
    int ends[PAIRS][2];
    int sent, received, tasks, tasks_run, timers, timers_run, jobs, jobs_done, signals;
    bool is_returning;
    int children;
    pid_t child[MOST_CHILDREN];
};

static struct process process;

static void maybe_fork(bool is_in_callback);

static void check_call(const sel_selector *sel)
{
    CHECK(sel == process.sel);
    CHECK(!process.is_returning); /* the parent's pass is over in the child */
}

static void on_byte(sel_selector *sel, const sel_key *key, int mask)
{
    char byte;
    check_call(sel);
    CHECK_IS(mask, SEL_EVENT_READ);
    CHECK_IS(recv(key->fd, &byte, 1, 0), 1);
    process.received++;
    maybe_fork(true);
}

static void on_task(sel_selector *sel, void *data)
{
    (void)data;
    check_call(sel);
    process.tasks_run++;
    maybe_fork(true);
}

static void on_timer(sel_selector *sel, void *data)
{
    (void)data;
    check_call(sel);
    process.timers_run++;
    maybe_fork(true);
}

static void on_signal(sel_selector *sel, void *data)
{
    (void)data;
    check_call(sel);
    process.signals++;
    maybe_fork(true);
}

static void work(void *data)
{
    (void)data;
    usleep(100);
}

static void on_done(sel_selector *sel, void *data, int status)
{
    (void)data;
    check_call(sel);
    CHECK_IS(status, 0);
    process.jobs_done++;
    maybe_fork(true);
}

/* What a process does until nothing is owed to it. */
static bool is_owed(void)
{
    return process.received < process.sent || process.tasks_run < process.tasks ||
           process.timers_run < process.timers || process.jobs_done < process.jobs;
}

_Noreturn static void live_as_child(bool is_in_callback);

static void dispatch(void)
{
    int status = sel_dispatch(process.sel);
    if (process.is_returning) {
        CHECK_IS(status, -ECHILD);
        process.is_returning = false;
        live_as_child(false);
    }
    CHECK(status >= 0);
}

static void settle(void)
{
    double end = sel_time(NULL) + 30;
    while (is_owed()) {
        CHECK(sel_time(NULL) < end);
        CHECK(sel_select(process.sel, 5, NULL) >= 0);
        dispatch();
    }
    CHECK_IS(process.received, process.sent);
    CHECK_IS(process.tasks_run, process.tasks);
    CHECK_IS(process.timers_run, process.timers);
    CHECK_IS(process.jobs_done, process.jobs);
}

static void ask_for_something(void)
{
    switch (pick(5)) {
    case 0:
        CHECK_IS(send(process.ends[pick(PAIRS)][1], "", 1, MSG_NOSIGNAL), 1);
        process.sent++;
        return;
    case 1:
        CHECK_IS(sel_call_soon(process.sel, on_task, NULL), 0);
        process.tasks++;
        return;
    case 2:
        CHECK_IS(sel_call_soon_threadsafe(process.sel, on_task, NULL), 0);
        process.tasks++;
        return;
    case 3:
        CHECK_IS(sel_call_later(process.sel, pick(3) / 1e3, on_timer, NULL, NULL), 0);
        process.timers++;
        return;
    default:
        CHECK_IS(sel_run_in_executor(process.sel, work, on_done, NULL), 0);
        process.jobs++;
    }
}

/* Sockets of its own, so that what it reads is not its parent's. */
static void replace_sockets(void)
{
    for (int i = 0; i < PAIRS; i++) {
        CHECK_IS(sel_unregister(process.sel, process.ends[i][0]), 0);
        CHECK_IS(close(process.ends[i][0]), 0);
        CHECK_IS(close(process.ends[i][1]), 0);
    }
    for (int i = 0; i < PAIRS; i++) {
        CHECK(make_pair(process.ends[i]));
        CHECK_IS(sel_register(process.sel, process.ends[i][0], SEL_EVENT_READ, on_byte,
                              NULL),
                 0);
    }
    process.received = process.sent = 0;
}

static void check_refused(sel_selector *sel)
{
    sel_key key;
    CHECK_IS(sel_select(sel, 0, NULL), -ECHILD);
    CHECK_IS(sel_dispatch(sel), -ECHILD);
    CHECK_IS(sel_run(sel), -ECHILD);
    CHECK_IS(sel_wakeup(sel), -ECHILD);
    CHECK_IS(sel_get_key(sel, process.ends[0][0], &key), -ECHILD);
    CHECK_IS(sel_unregister(sel, process.ends[0][0]), -ECHILD);
    CHECK_IS(sel_call_soon(sel, on_task, NULL), -ECHILD);
    CHECK_IS(sel_call_soon_threadsafe(sel, on_task, NULL), -ECHILD);
    CHECK_IS(sel_call_later(sel, 0, on_timer, NULL, NULL), -ECHILD);
    CHECK_IS(sel_run_in_executor(sel, work, on_done, NULL), -ECHILD);
    CHECK_IS(sel_add_signal_handler(sel, SIGUSR1, on_signal, NULL), -ECHILD);
    CHECK_IS(sel_fileno(sel), -ECHILD);
}

static void follow(void)
{
    CHECK_IS(sel_after_fork(process.sel), 0);
    CHECK_IS(sel_after_fork(process.sel), 0);
    CHECK_IS(sel_get_map(process.sel, NULL, 0), PAIRS);
    replace_sockets();
    process.jobs = process.jobs_done = 0; /* what was handed in is the parent's */
    for (int i = 0; i < 5; i++)
        ask_for_something();
    settle();
    int before = process.signals;
    CHECK_IS(raise(SIGUSR1), 0);
    while (process.signals == before) {
        CHECK(sel_select(process.sel, SEL_FOREVER, NULL) >= 0);
        CHECK(sel_dispatch(process.sel) >= 0);
    }
    CHECK_IS(sel_close(process.sel), 0);
}

static void close_all(void)
{
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
}

static void follow_or_close(bool is_in_callback)
{
    unsigned choice = pick(5);
    if (choice > 2)
        close_all();
    if (is_in_callback) {
        CHECK_IS(sel_after_fork(process.sel), -EBUSY);
        CHECK_IS(sel_close(process.sel), -EBUSY);
    } else if (choice == 1) {
        follow();
    } else if (choice == 2) {
        CHECK_IS(sel_close(process.sel), 0);
    } else if (choice == 3) {
        int status = sel_after_fork(process.sel);
        CHECK(status == 0 || status == -EBADF);
        CHECK_IS(sel_close(process.sel), 0);
    }
}

_Noreturn static void live_as_child(bool is_in_callback)
{
    check_refused(process.sel);
    follow_or_close(is_in_callback);
    if (pick(2) == 0)
        exit(0);
    _exit(0);
}

static void maybe_fork(bool is_in_callback)
{
    if (process.children == MOST_CHILDREN || pick(12) != 0)
        return;
    bool returns = is_in_callback && pick(2) == 0;
    pid_t child = fork_bounded();
    if (child > 0) {
        process.child[process.children++] = child;
        return;
    }
    process.children = MOST_CHILDREN; /* it has none itself */
    process.is_returning = returns;
    if (!returns)
        live_as_child(is_in_callback);
}

static void forks(sel_backend backend)
{
    process = (struct process){0};
    CHECK_IS(sel_open(backend, &process.sel), 0);
    for (int i = 0; i < PAIRS; i++) {
        CHECK(make_pair(process.ends[i]));
        CHECK_IS(sel_register(process.sel, process.ends[i][0], SEL_EVENT_READ, on_byte,
                              NULL),
                 0);
    }
    CHECK_IS(sel_add_signal_handler(process.sel, SIGUSR1, on_signal, NULL), 0);
    for (int i = 0; i < STEPS; i++) {
        for (unsigned j = pick(5); j > 0; j--)
            ask_for_something();
        maybe_fork(false);
        if (pick(2) == 0)
            CHECK(sel_select(process.sel, 0, NULL) >= 0);
        maybe_fork(false);
        dispatch();
    }
    settle();
    for (int i = 0; i < process.children; i++)
        CHECK_IS(wait_for(process.child[i]), 0);
    settle();
    CHECK_IS(sel_get_map(process.sel, NULL, 0), PAIRS);
    CHECK_IS(process.signals, 0);
    CHECK_IS(sel_close(process.sel), 0);
    for (int i = 0; i < PAIRS; i++) {
        CHECK_IS(close(process.ends[i][0]), 0);
        CHECK_IS(close(process.ends[i][1]), 0);
    }
}

int main(int argc, char **argv)
{
    stranger_warm_up();
    return stranger_main(argc, argv, 5, forks);
}
