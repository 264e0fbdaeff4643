/* SPDX-License-Identifier: MIT */
/* kqueue(2)'s calls, where there are any. */
#include "faults.h"

#include <errno.h>
#include <sys/event.h>

int __real_kqueue(void);
int __wrap_kqueue(void);

int __wrap_kqueue(void)
{
    return faults_strike(KQUEUE) ? -1 : __real_kqueue();
}

static fault_call use_of(const struct kevent *changes, int count)
{
    if (count == 0)
        return KEVENT_TO_WAIT;
    return changes->flags & EV_ADD    ? KEVENT_TO_ADD :
           changes->flags & EV_DELETE ? KEVENT_TO_REMOVE :
                                        KEVENT_TO_CHANGE;
}

/* That a change is refused is an event where there is room. */
static int refuse(const struct kevent *changes, int count, struct kevent *events, int room,
                  int error)
{
    errno = error;
    if (count == 0 || count > room)
        return -1;
    for (int i = 0; i < count; i++) {
        events[i] = changes[i];
        events[i].flags |= EV_ERROR;
        events[i].data = error;
    }
    return count;
}

int __real_kevent(int queue, const struct kevent *changes, int count, struct kevent *events,
                  int room, const struct timespec *timeout);
int __wrap_kevent(int queue, const struct kevent *changes, int count, struct kevent *events,
                  int room, const struct timespec *timeout);

int __wrap_kevent(int queue, const struct kevent *changes, int count, struct kevent *events,
                  int room, const struct timespec *timeout)
{
    fault_call use = use_of(changes, count);
    int error;

    if (!faults_strike_about(use, count > 0 ? (int)changes->ident : -1))
        return __real_kevent(queue, changes, count, events, room, timeout);
    error = errno;
    if (use == KEVENT_TO_REMOVE) /* that can fail only because there is nothing any more */
        __real_kevent(queue, changes, count, events, room, timeout);
    return refuse(changes, count, events, room, error);
}
