/* SPDX-License-Identifier: MIT */
/* The loop's set where it is epoll(7)'s. */
#include "uv/backend.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

_Static_assert((int)SEL__UV_ADD == EPOLL_CTL_ADD && (int)SEL__UV_CHANGE == EPOLL_CTL_MOD &&
               (int)SEL__UV_REMOVE == EPOLL_CTL_DEL, "they are epoll's");

int sel__loop_open_any(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    return fd >= 0 ? fd : -errno;
}

int sel__uv_control(sel__uv_state *state, int set, sel__uv_operation operation, int fd,
                    int events)
{
    struct epoll_event event = {
        .events = events != 0 ? (uint32_t)sel__to_poll(events) : EPOLLONESHOT,
        .data.fd = fd,
    };

    (void)state;
    return epoll_ctl(set, (int)operation, fd, &event) == 0 ? 0 : -errno;
}

int sel__uv_everything(const sel__uv_watcher *watcher)
{
    (void)watcher;
    return UV_READABLE | UV_WRITABLE | UV_PRIORITIZED;
}

/*
 * Guard 3. libuv shows a hang-up only if nothing else was ready, and hides an error
 * when there is an urgent condition. A change in a regular file in /proc or /sys is
 * always both, but is reported once, so there is nothing left to ask about. poll(2)
 * asks about the number, so what it adds is believed only if that still stands for the
 * registered file.
 */
int sel__uv_ask(const sel__uv_watcher *watcher, int events)
{
    sel_selector *sel = watcher->poll.data;
    struct pollfd polled = {.fd = watcher->fd, .events = sel__to_poll(watcher->entry->events)};
    int ready = sel__from_uv(events);
    int more;

    if ((events & UV_PRIORITIZED) && sel__is_regular(watcher->fd))
        return sel__check(sel, watcher->fd) ? SEL__EVERY_EVENT : 0;
    if (poll(&polled, 1, 0) < 0)
        return ready;
    more = sel__from_poll(polled.revents) & ~ready;
    if (more == 0 && !(polled.revents & POLLNVAL))
        return ready;
    return sel__check(sel, watcher->fd) ? ready | more : 0;
}

/*
 * A new set, under the old number, gets rid of whatever can't be taken out of the old
 * one. uv_loop_fork() would do much the same, but leaves the loop without any set if it
 * fails. The set of sel_fileno() watches the old set, which must be taken out while its
 * number still stands for it.
 */
static int replace_set(sel__uv_state *state, int fresh)
{
    int number = uv_backend_fd(&state->loop.uv);
    int error = sel__uv_fill(state, fresh);
    int entered;

    if (error < 0)
        return error;
    sel__leave_outer(state->sel, number);
    error = sel__uv_replace_set(state, fresh);
    entered = sel__enter_outer(state->sel, number);
    return error < 0 ? error : entered;
}

int sel__uv_renew(sel__uv_state *state)
{
    int fresh, error;

    sel__check_all(state->sel);
    fresh = epoll_create1(EPOLL_CLOEXEC);
    if (fresh < 0)
        return -errno;
    error = replace_set(state, fresh);
    close(fresh);
    state->stale = error < 0;
    return error;
}

void sel__uv_hide_set(sel__uv_state *state)
{
    dup3(state->loop.uv.async_io_watcher.fd, uv_backend_fd(&state->loop.uv), O_CLOEXEC);
}
