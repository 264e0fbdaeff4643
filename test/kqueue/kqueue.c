/* SPDX-License-Identifier: MIT */
/*
 * kqueue(2) for tests on Linux, in a library of its own that is linked before the C library.
 *
 * A queue is an epoll set. The two or three knotes of a number share its place in the set,
 * which watches for what any of them wants; an event of the set's becomes one for each knote
 * that is active. What epoll does otherwise is done here:
 *
 * - A knote belongs to a number and goes away when that is closed: numbers.c has
 *   close(), dup2(), dup3() and close_range(). What the C library closes by itself,
 *   as fclose() does, is noticed when the number is next changed.
 * - A child has no queue. See numbers.c.
 * - Regular files are taken, and readable up to their end; but only kevent() knows that,
 *   and poll() on the queue doesn't. Other files that nothing can be waited for are EINVAL,
 *   as on macOS, and so is a queue that would be in itself.
 *
 * An epoll set that somebody else made is taken for a queue, too: libuv's.
 *
 * Not here: timers, signals, processes and EVFILT_USER; the socket's error in `fflags`,
 * which can't be had without taking it away; EV_CLEAR for one filter of a number alone.
 */
#include "queues.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHUNK = 256 };

static const int16_t filters[FILTERS] = {EVFILT_READ, EVFILT_WRITE, EVFILT_EXCEPT};
static const uint32_t bits[FILTERS] = {EPOLLIN | EPOLLRDHUP, EPOLLOUT, EPOLLIN | EPOLLPRI};

/* --- changes --- */

static struct epoll_event describe(const watch *w, int fd)
{
    struct epoll_event event = {.data.u64 = (uint64_t)w->generation << 32 | (uint32_t)fd};

    for (int i = 0; i < FILTERS; i++)
        if (w->knotes[i].is_enabled) {
            event.events |= bits[i];
            if (w->knotes[i].flags & EV_CLEAR)
                event.events |= EPOLLET;
        }
    return event;
}

/* Of a file that epoll refuses, what macOS says. */
static int take_refused(queue *q, watch *w, int fd)
{
    int error = errno;
    struct stat status;

    if (error != EPERM)
        return error == ELOOP ? EINVAL : error;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return EINVAL;
    q->files += !w->is_file;
    w->is_file = true;
    return 0;
}

/* Tell the set what the knotes want. ENOENT: it knows another file under that number. */
static int tell_set(queue *q, int number, watch *w, int fd)
{
    struct epoll_event event = describe(w, fd);
    bool is_wanted = event.events != 0;

    if (w->is_file)
        return 0;
    if (w->is_in_set)
        return control(number, EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : ENOENT;
    /* What is disabled is put in and taken out: a file that can't be waited for is found. */
    if (control(number, EPOLL_CTL_ADD, fd, &event) < 0 &&
        (errno != EEXIST || control(number, EPOLL_CTL_MOD, fd, &event) < 0))
        return take_refused(q, w, fd);
    w->is_in_set = true;
    if (!is_wanted) {
        control(number, EPOLL_CTL_DEL, fd, &event);
        w->is_in_set = false;
    }
    return 0;
}

/* Hang-up and error can't be masked: what nothing is wanted of is not in the set. */
static int update(queue *q, int number, int fd)
{
    watch *w = &q->watches[fd];
    bool is_there = false, is_enabled = false;
    int error;

    for (int i = 0; i < FILTERS; i++) {
        is_there |= w->knotes[i].is_there;
        is_enabled |= w->knotes[i].is_enabled;
    }
    if (!is_there) {
        forget(q, number, fd);
        return 0;
    }
    error = tell_set(q, number, w, fd);
    if (error == 0 && w->is_in_set && !is_enabled) {
        control(number, EPOLL_CTL_DEL, fd, &(struct epoll_event){0});
        w->is_in_set = false;
    }
    return error;
}

static void change_knote(knote *k, const struct kevent *change)
{
    if (change->flags & EV_ADD)
        *k = (knote){true, true, change->flags & (EV_CLEAR | EV_ONESHOT | EV_DISPATCH),
                     change->udata};
    if (change->flags & EV_DISABLE)
        k->is_enabled = false;
    if (change->flags & EV_ENABLE)
        k->is_enabled = true;
    if (change->flags & EV_DELETE)
        *k = (knote){.is_there = false};
}

/* 0 or what is wrong with one change. */
static int apply(queue *q, int number, const struct kevent *change)
{
    int fd = (int)change->ident, i = 0, error;
    knote before;
    watch *w;

    while (i < FILTERS && filters[i] != change->filter)
        i++;
    if (i == FILTERS)
        return EINVAL;
    if (change->ident > INT_MAX || (fcntl(fd, F_GETFD) < 0 && (change->flags & EV_ADD)))
        return EBADF;
    w = watch_of(q, fd);
    if ((w == NULL || !w->knotes[i].is_there) && !(change->flags & EV_ADD))
        return ENOENT;
    w = add_watch(q, fd);
    if (w == NULL)
        return ENOMEM;
    before = w->knotes[i];
    change_knote(&w->knotes[i], change);
    error = update(q, number, fd);
    if (error == ENOENT) { /* the C library has closed the number since */
        forget(q, number, fd);
        return change->flags & EV_ADD ? apply(q, number, change) : ENOENT;
    }
    if (error == EINVAL && !(change->flags & EV_ADD))
        error = 0; /* nobody looks at a file again */
    if (error != 0) {
        w->knotes[i] = before;
        update(q, number, fd);
    }
    return error;
}

/* --- events --- */

static intptr_t count_room(int fd)
{
    int size, unsent;
    socklen_t length = sizeof size;

    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0)
        return ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent < size ? size - unsent : 1;
    size = fcntl(fd, F_GETPIPE_SZ);
    return size > 0 && ioctl(fd, FIONREAD, &unsent) == 0 && unsent < size ? size - unsent : 1;
}

static intptr_t count_unread(int fd, bool is_end)
{
    int unread;

    return ioctl(fd, FIONREAD, &unread) == 0 ? unread : !is_end;
}

/* Of the knote that is active; what is told once ends or rests with that. */
static struct kevent report(queue *q, int number, int fd, int i, uint32_t ready)
{
    knote *k = &q->watches[fd].knotes[i];
    uint32_t end = EPOLLHUP | EPOLLERR | (filters[i] == EVFILT_READ ? EPOLLRDHUP : 0);
    bool is_write = filters[i] == EVFILT_WRITE;
    struct kevent event = {
        .ident = (uintptr_t)fd,
        .filter = filters[i],
        .flags = (uint16_t)(EV_ADD | k->flags | (ready & end ? EV_EOF : 0)),
        .fflags = filters[i] == EVFILT_EXCEPT && (ready & EPOLLPRI) ? NOTE_OOB : 0,
        .data = is_write ? count_room(fd) : count_unread(fd, ready & end),
        .udata = k->udata,
    };

    if (k->flags & EV_ONESHOT)
        *k = (knote){.is_there = false};
    else if (k->flags & EV_DISPATCH)
        k->is_enabled = false;
    if (event.flags & (EV_ONESHOT | EV_DISPATCH))
        update(q, number, fd);
    return event;
}

/* The events of a number, as many as there is room for; how many. */
static int report_all(queue *q, int number, int fd, uint32_t ready, struct kevent *events,
                      int room)
{
    unsigned first = q->watches[fd].turn;
    int count = 0;

    for (unsigned n = 0; n < FILTERS && count < room; n++) {
        unsigned i = (first + n) % FILTERS;

        if (q->watches[fd].knotes[i].is_enabled && (ready & (bits[i] | EPOLLHUP | EPOLLERR))) {
            q->watches[fd].turn = i + 1;
            events[count++] = report(q, number, fd, (int)i, ready);
        }
    }
    return count;
}

/* Regular files, which the set doesn't know: readable up to their end, and writable. */
static int report_files(queue *q, int number, struct kevent *events, int room)
{
    struct stat status;
    int count = 0;

    for (int fd = 0; q->files > 0 && fd < q->capacity && count < room; fd++)
        if (q->watches[fd].is_file && fstat(fd, &status) == 0) {
            bool has_more = lseek(fd, 0, SEEK_CUR) < status.st_size;

            count += report_all(q, number, fd, has_more ? EPOLLIN | EPOLLOUT : EPOLLOUT,
                                events + count, room - count);
        }
    return count;
}

/* Of a chunk of the set's events; -1 when one comes that this round has seen. */
static int report_chunk(queue *q, int number, const struct epoll_event *chunk, int length,
                        struct kevent *events, int room)
{
    int count = 0;

    for (int i = 0; i < length; i++) {
        int fd = (int)(uint32_t)chunk[i].data.u64;
        watch *w = watch_of(q, fd);

        if (w == NULL || w->generation != chunk[i].data.u64 >> 32)
            continue;
        if (w->told == q->round)
            return count > 0 ? count : -1;
        w->told = q->round;
        count += report_all(q, number, fd, chunk[i].events, events + count, room - count);
    }
    return count;
}

/*
 * The set gives each number in turn, and all that it gives must be reported or it would wait
 * for another turn: so it is asked for what is sure to have room, again and again.
 */
static int wait_for_events(queue *q, int number, struct kevent *events, int room,
                           const struct timespec *timeout)
{
    static const struct timespec look = {0};
    struct epoll_event chunk[CHUNK];
    int count = report_files(q, number, events, room), told = 0;

    q->round++;
    if (count > 0)
        timeout = &look;
    while (told >= 0 && count < room) {
        int most = (room - count) / FILTERS, length;

        most = most < 1 ? 1 : most > CHUNK ? CHUNK : most;
        let_go();
        length = epoll_pwait2(number, chunk, most, timeout, NULL); /* a cancellation point */
        enter();
        if (length <= 0)
            return length < 0 && count == 0 ? -1 : count;
        if (find_queue(number) != q)
            return count;
        told = report_chunk(q, number, chunk, length, events + count, room - count);
        count += told > 0 ? told : 0;
        timeout = &look;
    }
    return count;
}

/* --- the calls --- */

int kqueue(void)
{
    queue *q = calloc(1, sizeof *q);
    int number = q != NULL ? epoll_create1(0) : -1;
    int error = number >= 0 ? 0 : errno;

    enter();
    if (error == 0)
        error = name(q, number);
    let_go();
    if (error == 0)
        return number;
    if (number >= 0)
        syscall(SYS_close, number);
    free(q);
    errno = error;
    return -1;
}

/* How many errors and receipts there are to be told; -1 with errno where there is no room. */
static int apply_all(queue *q, int number, const struct kevent *changes, int count,
                     struct kevent *events, int room)
{
    int told = 0;

    for (int i = 0; i < count; i++) {
        int error = apply(q, number, &changes[i]);

        if (told < room && (error != 0 || (changes[i].flags & EV_RECEIPT))) {
            events[told] = changes[i];
            events[told].flags |= EV_ERROR;
            events[told++].data = error;
        } else if (error != 0) {
            errno = error;
            return -1;
        }
    }
    return told;
}

int kevent(int number, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout)
{
    int count = -1;
    queue *q;

    enter();
    q = find_queue(number);
    if (q == NULL)
        errno = EBADF;
    else
        count = apply_all(q, number, changes, change_count, events, event_count);
    if (count == 0 && event_count > 0)
        count = wait_for_events(q, number, events, event_count, timeout);
    let_go();
    return count;
}
