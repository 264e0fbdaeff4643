/* SPDX-License-Identifier: MIT */
#include <selkie/compat.h>

#include "base/clock.h"
#include "base/descriptor.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/select.h>

/* One of the three lists, for input and output. */
struct list {
    const int *fds;
    size_t length;
    fd_set set;
};

static int fill(struct list *list, int *limit)
{
    FD_ZERO(&list->set);
    if (list->fds == NULL)
        list->length = 0;
    for (size_t i = 0; i < list->length; i++) {
        int fd = list->fds[i];

        if (fd < 0)
            return -EINVAL;
        if (fd >= FD_SETSIZE)
            return -ERANGE;
        FD_SET(fd, &list->set);
        if (fd >= *limit)
            *limit = fd + 1;
    }
    return 0;
}

/* Put the ready ones at the front, in their order; `ret_fds` may be the list itself. */
static int take_ready(const struct list *list, int *ret_fds, size_t *ret_length)
{
    size_t ready = 0;

    for (size_t i = 0; i < list->length; i++) {
        if (!FD_ISSET(list->fds[i], &list->set))
            continue;
        if (ret_fds != NULL)
            ret_fds[ready] = list->fds[i];
        ready++;
    }
    if (ret_length != NULL)
        *ret_length = ready;
    return (int)ready;
}

static void copy_sets(struct list to[3], const struct list from[3])
{
    for (int i = 0; i < 3; i++)
        to[i].set = from[i].set;
}

static int look(struct list lists[3], const struct list asked[3], int limit, int64_t timeout)
{
    struct timespec wait = sel__to_timespec(timeout);

    copy_sets(lists, asked);
    return pselect(limit, &lists[0].set, &lists[1].set, &lists[2].set,
                   timeout == INT64_MAX ? NULL : &wait, NULL);
}

/*
 * Sleep in poll(2), which keeps its deadline across a SIGSTOP; pselect() does not (see
 * polling.c). Returns whether pselect() should look now: not after a signal, nor when
 * the time is nearly up.
 */
static bool sleep_by_poll(const struct list asked[3], int limit, int64_t left)
{
    static const short events[3] = {
        POLLIN | POLLRDNORM | POLLRDBAND, POLLOUT | POLLWRNORM | POLLWRBAND, POLLPRI,
    };
    struct pollfd fds[FD_SETSIZE];
    nfds_t length = 0;
    int count;

    for (int fd = 0; fd < limit; fd++) {
        fds[length] = (struct pollfd){.fd = fd};
        for (int i = 0; i < 3; i++)
            if (FD_ISSET(fd, &asked[i].set))
                fds[length].events |= events[i];
        length += fds[length].events != 0;
    }
    count = poll(fds, length, sel__to_ms(left - left % SEL__NS_PER_MS));
    return count > 0 || (count < 0 && errno != EINTR);
}

/*
 * Wait until something is ready or the time is up, whatever interrupts it. poll()
 * returns for hang-ups that pselect() does not report, those of descriptors outside the
 * first list. So once poll() has returned and pselect() has found nothing, pselect()
 * waits for the rest.
 */
static int wait_until(struct list lists[3], int limit, int64_t timeout)
{
    int64_t deadline = sel__deadline(timeout);
    bool in_vain = timeout == INT64_MAX;
    struct list asked[3];

    memcpy(asked, lists, sizeof asked);
    for (;;) {
        int64_t left = sel__left(deadline);
        bool slept = !in_vain && left >= SEL__NS_PER_MS;
        int count;

        if (slept && !sleep_by_poll(asked, limit, left))
            continue;
        in_vain |= slept;
        count = look(lists, asked, limit, slept ? 0 : left);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0 || (count == 0 && left == 0))
            return 0;
    }
}

int sel_compat_select(const int *rlist, size_t nr, int *ret_r, size_t *ret_nr,
                      const int *wlist, size_t nw, int *ret_w, size_t *ret_nw,
                      const int *xlist, size_t nx, int *ret_x, size_t *ret_nx,
                      double timeout)
{
    struct list lists[3] = {
        {.fds = rlist, .length = nr},
        {.fds = wlist, .length = nw},
        {.fds = xlist, .length = nx},
    };
    int limit = 0;
    int error = isnan(timeout) ? -EINVAL : 0;

    for (int i = 0; i < 3 && error == 0; i++)
        error = fill(&lists[i], &limit);
    /* Linux passes over numbers beyond its table, and leaves their bits set. */
    if (error == 0 && limit > 0 && !sel__is_open(limit - 1))
        error = -EBADF;
    if (error == 0)
        error = wait_until(lists, limit, sel__to_ns(timeout));
    if (error < 0)
        return error;
    return take_ready(&lists[0], ret_r, ret_nr) + take_ready(&lists[1], ret_w, ret_nw) +
           take_ready(&lists[2], ret_x, ret_nx);
}
