/* SPDX-License-Identifier: MIT */
#include "backend/urgent.h"

#include "base/grow.h"
#include "base/kqueue.h"

/* Its place, or the first that is free. */
static int find(const sel__urgent *urgent, int fd)
{
    int place = 1;

    while (place <= urgent->length && urgent->fds[place].fd != fd &&
           urgent->fds[place].fd != ~fd)
        place++;
    return place;
}

int sel__urgent_watch(sel__urgent *urgent, int fd, bool wanted)
{
    int place = find(urgent, fd);
    int error = 0;

    if ((place <= urgent->length) == wanted)
        return 0;
    if (!wanted) {
        urgent->fds[place] = urgent->fds[urgent->length--];
        return 0;
    }
    error = sel__grow(&urgent->fds, &urgent->capacity, place + 1, sizeof *urgent->fds);
    if (error < 0)
        return error;
    urgent->fds[place] = (struct pollfd){.fd = fd, .events = POLLPRI};
    urgent->length++;
    return 0;
}

/*
 * macOS calls it a hang-up when only the other's direction has ended. Then the number is
 * passed over for the rest of this wait, which would not sleep: no byte comes any more.
 */
static void tell(sel_selector *sel, struct pollfd *polled)
{
    int ready = polled->revents & POLLPRI ? SEL_EVENT_EXCEPT : 0;

    if ((polled->revents & (POLLHUP | POLLERR)) && sel__kqueue_says_hung_up(polled->fd))
        ready = SEL__EVERY_EVENT;
    if (polled->revents & POLLNVAL)
        sel__gone(sel, polled->fd);
    else if (ready == 0)
        polled->fd = ~polled->fd;
    else if (sel__check(sel, polled->fd))
        sel__report(sel, polled->fd, ready);
}

/* Downwards: one that is gone is replaced by the last. */
static void tell_all(sel__urgent *urgent, sel_selector *sel)
{
    for (int i = urgent->length; i > 0; i--)
        if (urgent->fds[i].revents != 0)
            tell(sel, &urgent->fds[i]);
}

/* EINVAL: RLIMIT_NOFILE is below what there is to poll. */
int sel__urgent_wait(sel__urgent *urgent, sel_selector *sel, int queue, int64_t *deadline)
{
    int count;

    urgent->fds[0] = (struct pollfd){.fd = queue, .events = POLLIN};
    for (int i = 1; i <= urgent->length; i++)
        if (urgent->fds[i].fd < 0)
            urgent->fds[i].fd = ~urgent->fds[i].fd;
    do {
        count = poll(urgent->fds, (nfds_t)urgent->length + 1, sel__to_ms(sel__left(*deadline)));
        if (count < 0)
            return errno == EINVAL ? 0 : -errno;
        tell_all(urgent, sel);
    } while (count > 0 && urgent->fds[0].revents == 0 && sel->batch.length == 0);
    *deadline = 0;
    return 0;
}
