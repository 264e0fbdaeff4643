/* SPDX-License-Identifier: MIT */
#include "uv/loop.h"

#include "base/descriptor.h"
#include "base/fork.h"
#include "base/own.h"
#include "selector/selector.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/*
 * Guard 8. The descriptors that a process's first loop takes: its epoll set, its
 * eventfd, the loop's own pipe for signals and the one by which libuv guards signals,
 * which stays; and the two io_uring rings of libuv 1.45 and later. Without the guard's
 * pipe libuv aborts; for any other that it can't open it returns an error.
 */
enum { FIRST_LOOP = 6, FIRST_LOOP_WITH_RINGS = 8 };

/* How often to try to close a loop that one of the parent's threads may hold up for ever. */
enum { MOST_TRIES = 4 };

/* The standard numbers that are held, each by a descriptor opened for that; else -1. */
typedef struct {
    int fds[3];
} holding;

static const holding nothing_held = {{-1, -1, -1}};
static atomic_bool is_warm; /* this process has had a loop */

static void release(holding *held)
{
    for (int i = 0; i < 3; i++)
        if (held->fds[i] >= 0)
            close(held->fds[i]);
    *held = nothing_held;
}

/*
 * Guard 7. The free ones among the standard numbers are held while libuv opens
 * descriptors. Going upwards, each one is the lowest free number when it is opened.
 */
static int hold(holding *held)
{
    for (int i = 0; i < 3; i++) {
        if (sel__is_open(i))
            continue;
        held->fds[i] = sel__loop_open_any();
        if (held->fds[i] < 0) {
            int error = held->fds[i];

            release(held);
            return error;
        }
    }
    return 0;
}

/* Can that many be opened? They are closed again, and another thread may take them. */
static int try_to_open(int count)
{
    int fds[FIRST_LOOP_WITH_RINGS];
    int opened = 0;
    int error = 0;

    while (error == 0 && opened < count) {
        fds[opened] = sel__loop_open_any();
        if (fds[opened] < 0)
            error = fds[opened];
        else
            opened++;
    }
    while (opened > 0)
        close(fds[--opened]);
    return error;
}

static int prepare(holding *held, int count)
{
    int error = hold(held);

    if (error < 0)
        return error;
    error = try_to_open(count);
    if (error < 0)
        release(held);
    return error;
}

/*
 * Guard 7, in a child: libuv opens its guard's pipe again, with whatever numbers are
 * free then. These two run before and after that, because atfork handlers for the child
 * are called in the order in which they were set up. If one can't be set up, the next
 * loop tries again.
 */
static holding held_in_child = {{-1, -1, -1}};
static atomic_bool holds_in_child, releases_in_child;

static void before_libuv(void)
{
    hold(&held_in_child);
}

static void after_libuv(void)
{
    release(&held_in_child);
}

static void set_up(atomic_bool *is_set_up, void (*in_child)(void))
{
    if (!atomic_exchange(is_set_up, true) && pthread_atfork(NULL, NULL, in_child) != 0)
        atomic_store(is_set_up, false);
}

/* The set comes first. */
static void get_numbers(const uv_loop_t *loop, int numbers[SEL__LOOP_NUMBERS])
{
    numbers[0] = uv_backend_fd(loop);
    numbers[1] = loop->async_io_watcher.fd;
    numbers[2] = loop->async_wfd;
    numbers[3] = loop->signal_pipefd[0];
    numbers[4] = loop->signal_pipefd[1];
}

/* If there is no memory to note a number, it stays as unknown as the program's own. */
static void own_loop(sel__loop *loop)
{
    get_numbers(&loop->uv, loop->own);
    for (int i = 0; i < SEL__LOOP_NUMBERS; i++)
        sel__note_own(&loop->own[i]);
}

static void disown_loop(sel__loop *loop)
{
    for (int i = 0; i < SEL__LOOP_NUMBERS; i++)
        sel__disown(&loop->own[i]);
}

bool sel__loop_check(sel__loop *loop)
{
    int numbers[SEL__LOOP_NUMBERS];

    get_numbers(&loop->uv, numbers);
    for (int i = SEL__SET_IS_INHERITED ? 0 : 1; i < SEL__LOOP_NUMBERS; i++)
        if (loop->own[i] != numbers[i] || (numbers[i] >= 0 && !sel__is_own(numbers[i])))
            loop->state = SEL__LOOP_GONE;
    return loop->state != SEL__LOOP_GONE;
}

static int count_for_first(void)
{
    return uv_version() < SEL__LIBUV_1_45 ? FIRST_LOOP : FIRST_LOOP_WITH_RINGS;
}

/*
 * Guard 9. If a loop can't be made, libuv 1.44 leaves its epoll set open. Later
 * versions close it and leave -1; it is 0 if there was no memory to begin with.
 */
static int init_loop(sel__loop *loop)
{
    int error = uv_loop_init(&loop->uv);

    if (error == 0)
        own_loop(loop);
    else if (uv_backend_fd(&loop->uv) > 0)
        close(uv_backend_fd(&loop->uv));
    return error;
}

int sel__loop_open(sel__loop *loop, sel_selector *sel)
{
    holding held = nothing_held;
    int error;

    if (sel != NULL)
        sel__check_all(sel);
    set_up(&holds_in_child, before_libuv);
    error = prepare(&held, atomic_load(&is_warm) ? 0 : count_for_first());
    if (error < 0)
        return error;
    error = init_loop(loop);
    release(&held);
    set_up(&releases_in_child, after_libuv);
    loop->process = sel__forks();
    if (error == 0)
        atomic_store(&is_warm, true);
    return error;
}

static int follow(sel__loop *loop)
{
    holding held = nothing_held;
    int error = hold(&held);

    if (error < 0)
        return error;
    disown_loop(loop);
    error = uv_loop_fork(&loop->uv);
    loop->process = sel__forks();
    release(&held);
    own_loop(loop);
    return error;
}

/*
 * Guard 11. What the parent's signal handler wrote into the shared pipe never arrives
 * here, and libuv before 1.45 would wait for it for ever when the handle is closed. Nor
 * does a wake-up that one of the parent's threads sent or was sending: the handle would
 * stay marked as pending for ever, and no later wake-up would get out.
 */
static void forget_pending(uv_handle_t *handle, void *unused)
{
    uv_signal_t *signal = (uv_signal_t *)handle;

    (void)unused;
    if (uv_handle_get_type(handle) == UV_SIGNAL)
        signal->caught_signals = signal->dispatched_signals = 0;
    if (uv_handle_get_type(handle) == UV_ASYNC)
        ((uv_async_t *)handle)->pending = 0;
}

/* Guard 10: after a failure the loop has no epoll set. */
int sel__loop_fork(sel__loop *loop)
{
    int error = loop->state == SEL__LOOP_LOST ? -ENOMEM :
                sel__loop_check(loop) ? follow(loop) : -EBADF;

    if (error < 0 && loop->state == SEL__LOOP_OPEN)
        loop->state = SEL__LOOP_LOST;
    loop->inherited |= loop->uv.active_reqs.count > 0;
    uv_walk(&loop->uv, forget_pending, NULL);
    forget_pending((uv_handle_t *)&loop->uv.wq_async, NULL); /* uv_walk() skips it */
    return error;
}

void sel__loop_leave_behind(sel__loop *loop)
{
    static sel__loop *left_behind;

    loop->next = left_behind;
    left_behind = loop;
}

/* Guard 12. In a loop, because a close callback of the program's may make another handle. */
bool sel__loop_close(sel__loop *loop, uv_walk_cb close_handle)
{
    int tries = 0;

    do {
        if (loop->inherited && tries++ == MOST_TRIES) {
            sel__loop_leave_behind(loop);
            return false;
        }
        uv_walk(&loop->uv, close_handle, NULL);
        uv_run(&loop->uv, loop->inherited ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        disown_loop(loop);
    } while (uv_loop_close(&loop->uv) == UV_EBUSY);
    return true;
}
