/* SPDX-License-Identifier: MIT */
/*
 * kqueue(2) for tests on Linux: of macOS's interface, with its numbers, what a selector
 * needs. test/kqueue/kqueue.c does it with epoll and says where it differs.
 */
#ifndef TEST_KQUEUE_SYS_EVENT_H
#define TEST_KQUEUE_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void *udata;
};

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)         \
    (*(event) = (struct kevent){.ident = (ident_), .filter = (filter_),        \
                                .flags = (flags_), .fflags = (fflags_),        \
                                .data = (data_), .udata = (udata_)})

/* Filters. */
#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_TIMER (-7)
#define EVFILT_USER (-10)
#define EVFILT_EXCEPT (-15)

/* What a change asks for. */
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080

/* What an event says. */
#define EV_OOBAND 0x2000
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

/* In fflags, of EVFILT_EXCEPT, EVFILT_USER and EVFILT_TIMER. */
#define NOTE_OOB 0x00000002
#define NOTE_TRIGGER 0x01000000
#define NOTE_FFNOP 0x00000000
#define NOTE_SECONDS 0x00000001
#define NOTE_USECONDS 0x00000002
#define NOTE_NSECONDS 0x00000004

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count,
           struct kevent *events, int event_count, const struct timespec *timeout);

#endif
