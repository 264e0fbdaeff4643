/* SPDX-License-Identifier: MIT */
/*
 * One descriptor under libuv: its handle, and what has to be known around it so
 * that libuv neither hides what the kernel said nor aborts at what it refuses.
 */
#include "uv_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

int sel__uv_from_events(int events)
{
    return ((events & SEL_EVENT_READ) ? UV_READABLE : 0) |
           ((events & SEL_EVENT_WRITE) ? UV_WRITABLE : 0) |
           ((events & SEL_EVENT_EXCEPT) ? UV_PRIORITIZED : 0);
}

static int from_uv(int events)
{
    return ((events & UV_READABLE) ? SEL_EVENT_READ : 0) |
           ((events & UV_WRITABLE) ? SEL_EVENT_WRITE : 0) |
           ((events & UV_PRIORITIZED) ? SEL_EVENT_EXCEPT : 0);
}

/*
 * libuv shows a hang-up only where nothing else was ready. Once a socket has
 * been connected, its hang-up makes it readable too, so "writable, of read and
 * write" is then the whole truth and the common case of a server with much to
 * send. Everything else is asked for.
 */
static int ask(sel__uv_watcher *watcher, int events)
{
    sel_selector *sel = watcher->poll.data;
    struct pollfd polled = {.fd = watcher->fd, .events = sel__to_poll(from_uv(watcher->wanted))};

    if (events == UV_WRITABLE && watcher->wanted == (UV_READABLE | UV_WRITABLE) &&
        watcher->connected)
        return SEL_EVENT_WRITE;
    if (!sel__check(sel, watcher->fd))
        return 0;
    if (poll(&polled, 1, 0) < 0)
        return from_uv(events);
    if (!(polled.revents & (POLLERR | POLLHUP)))
        watcher->connected = watcher->entry->kind == SEL__SOCKET;
    return sel__from_poll(polled.revents) | from_uv(events);
}

bool sel__uv_take_out(sel__uv_watcher *watcher)
{
    sel__uv_loop *home = watcher->home;

    if (!watcher->in_kernel)
        return true;
    watcher->in_kernel = false;
    if (epoll_ctl(uv_backend_fd(&home->uv), EPOLL_CTL_DEL, watcher->fd, NULL) == 0)
        return true;
    if (home->unsent && sel__is_same(home->state->sel, watcher->fd))
        return true; /* started, but the kernel was never told */
    home->stale = home->state->stale = true;
    return false;
}

/* On an error libuv says UV_EBADF whatever it was, and stops the handle. */
SEL__RARE static void report_unsure(sel__uv_watcher *watcher, int status, int events)
{
    sel_selector *sel = watcher->poll.data;

    if (status == 0) {
        sel__report(sel, watcher->fd, ask(watcher, events));
        return;
    }
    sel__uv_take_out(watcher); /* before libuv does, which would not tell us */
    sel__disarmed(sel, watcher->fd);
    sel__report(sel, watcher->fd, SEL__EVERY_EVENT);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    sel__uv_watcher *watcher = (sel__uv_watcher *)poll;
    sel_selector *sel = poll->data;
    sel__entry *entry = watcher->entry;

    if (status == 0 && events == watcher->wanted)
        sel__batch_add(&sel->batch, entry, watcher->fd, entry->events);
    else
        report_unsure(watcher, status, events);
}

static void on_internal(uv_poll_t *poll, int status, int events)
{
    const sel__uv_watcher *watcher = (sel__uv_watcher *)poll;

    (void)status;
    (void)events;
    sel__report_internal(poll->data, watcher->entry, watcher->fd);
}

int sel__uv_start_again(sel__uv_watcher *watcher)
{
    bool internal = watcher->entry->flags & SEL__INTERNAL;

    return uv_poll_start(&watcher->poll, watcher->wanted, internal ? on_internal : on_poll);
}

/*
 * uv_poll_init() sets O_NONBLOCK on the open file, which other processes may
 * share. It goes back by FIONBIO, which touches no other flag.
 */
static int init_poll(sel__uv_watcher *watcher)
{
    int flags = fcntl(watcher->fd, F_GETFL);
    int error;

    if (flags < 0)
        return -errno;
    error = uv_poll_init(&watcher->home->uv, &watcher->poll, watcher->fd);
    watcher->poll.data = watcher->home->state->sel;
    if (error == 0 && !(flags & O_NONBLOCK) && ioctl(watcher->fd, FIONBIO, &(int){0}) < 0)
        fcntl(watcher->fd, F_SETFL, flags);
    return error;
}

/*
 * libuv's array of watchers grows when a handle is started, which is just before
 * a wait; a wait allocates nothing, so it is made to grow here.
 */
static void reserve(sel__uv_watcher *watcher)
{
    sel__uv_loop *home = watcher->home;

    if (watcher->fd < home->reach)
        return;
    uv_poll_start(&watcher->poll, UV_READABLE, on_poll);
    uv_poll_stop(&watcher->poll);
    while (home->reach <= watcher->fd)
        home->reach = 2 * home->reach + 2;
}

int sel__uv_open_watcher(sel__uv_watcher *watcher)
{
    int error = init_poll(watcher);

    if (error == 0)
        reserve(watcher);
    return error;
}

int sel__uv_try_add(const sel__uv_watcher *watcher)
{
    int set = uv_backend_fd(&watcher->home->uv);
    struct epoll_event event = {.events = EPOLLIN};

    if (epoll_ctl(set, EPOLL_CTL_ADD, watcher->fd, &event) < 0 && errno != EEXIST)
        return -errno;
    epoll_ctl(set, EPOLL_CTL_DEL, watcher->fd, &event);
    return 0;
}

void sel__uv_stop(sel__uv_watcher *watcher)
{
    if (uv_is_active((uv_handle_t *)&watcher->poll))
        uv_poll_stop(&watcher->poll);
}

/* Of files other than sockets and pipes only a try shows what the kernel takes. */
int sel__uv_start(sel__uv_watcher *watcher)
{
    int error = watcher->entry->kind == SEL__OTHER ? sel__uv_try_add(watcher) : 0;

    if (error == 0)
        error = sel__uv_start_again(watcher);
    watcher->in_kernel = error == 0;
    watcher->home->unsent = watcher->home->state->unsent = true;
    return error;
}
