/* SPDX-License-Identifier: MIT */
/*
 * The event loops that are compared: selkie on each of its backends, and what a
 * program would use instead.  All of them watch the same descriptors for READ,
 * level-triggered, and read nothing, so what is ready stays ready.
 */
#ifndef CONTENDERS_H
#define CONTENDERS_H

typedef struct event_loop {
    const char *name;

    /* Watch all of these; NULL if this loop can't hold them. */
    void *(*open)(const int *fds, int count);

    /*
     * Look once, without waiting, and record what is ready; calls nothing of
     * the program's.  Returns how many descriptors were found.  Or NULL: the
     * loop can't do that.
     */
    int (*look)(void *state);

    /*
     * `rounds` times: wait for up to `timeout` seconds and call a callback that
     * counts for all that is ready.  Returns how often it was called.  Or NULL.
     */
    long (*run)(void *state, int rounds, double timeout);

    void (*close)(void *state);
} event_loop;

extern const event_loop epoll_contender; /* epoll_wait() and nothing around it */
extern const event_loop selkie_uv_contender;
extern const event_loop selkie_epoll_contender;
extern const event_loop selkie_poll_contender;
extern const event_loop selkie_select_contender;
extern const event_loop libuv_contender;           /* one uv_poll_t a descriptor */
extern const event_loop libuv_recording_contender; /* as a selector would use it */
extern const event_loop libev_contender;
extern const event_loop libevent_contender;

/* The one of this name, or NULL if this program holds none such. */
const event_loop *find_contender(const char *name);

#endif
