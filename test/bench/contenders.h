/* SPDX-License-Identifier: MIT */
/*
 * The event loops that are compared: selkie on each of its backends, what a
 * program would use instead, and the bare system calls as one would write them
 * by hand.  All of them are level-triggered.
 *
 * Whatever fails ends the program; what a loop can't do is NULL in its table.
 */
#ifndef CONTENDERS_H
#define CONTENDERS_H

#include <stdbool.h>
#include <stddef.h>

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* A descriptor and what is called when it is ready; its owner keeps it. */
typedef struct watcher {
    int fd;
    void (*ready)(struct watcher *watch, int events);
    void *handle; /* the loop's own */
} watcher;

/* A call that is awaited was made. Returns whether it was the last, which ends run(). */
static inline bool was_last(long *awaited)
{
    return --*awaited == 0;
}

typedef struct event_loop {
    const char *name;

    /* A loop for descriptors below `limit`; NULL if it can't hold so many. */
    void *(*open)(int limit);
    void (*close)(void *loop);

    /*
     * Watch for READ, until the loop is closed, with the least that this loop
     * needs to add one to *counter: what a wait itself costs.
     */
    void (*count)(void *loop, int fd, long *counter);

    /* Watch for some events; for others; no more. */
    void (*add)(void *loop, watcher *watch, int events);
    void (*change)(void *loop, watcher *watch, int events);
    void (*remove)(void *loop, watcher *watch);

    /*
     * Look once, without waiting, and record what is ready; calls nothing of
     * the program's.  Returns how many descriptors were found.  Or NULL.
     */
    int (*look)(void *loop);

    /*
     * Wait until something is ready and call for all that is.  Only selkie
     * heeds `timeout`, in seconds, to show what one costs.
     */
    void (*wait)(void *loop, double timeout);

    /*
     * Go round, as the loop does by itself, until the last call that is awaited, or
     * until a callback calls stop().
     */
    void (*run)(void *loop);
    void (*stop)(void *loop);

    /*
     * One call in the first pass of run(); or one in each pass, which queues the next.
     * Until the last was made `call` is the loop's.
     */
    void (*soon)(void *loop, void *call, long *awaited);
    void (*each_pass)(void *loop, void *call, long *awaited);
    size_t call_size; /* zeroed at first */

    /*
     * What the program keeps of a timer, zeroed at first: the timer itself, or a
     * handle by which the loop finds it.
     */
    size_t timer_size;
    bool timer_is_handle;

    /* One call after `delay` seconds; none; or after so many seconds from now instead. */
    void (*arm)(void *loop, void *timer, double delay, long *awaited);
    void (*cancel)(void *loop, void *timer);
    void (*move)(void *loop, void *timer, double delay);

    /* From any thread: one call on the loop's own. */
    void (*post)(void *loop, long *awaited);

    /* Called before open() by a program that posts, or NULL. */
    void (*use_threads)(void);

    /* Handle a signal, and have a pool's thread do a job: one call when that is done. */
    void (*add_services)(void *loop, long *awaited);
} event_loop;

extern const event_loop epoll_contender;
extern const event_loop poll_contender;
extern const event_loop select_contender;
extern const event_loop selkie_uv_contender;
extern const event_loop selkie_epoll_contender;
extern const event_loop selkie_poll_contender;
extern const event_loop selkie_select_contender;
extern const event_loop libuv_contender;           /* one uv_poll_t a descriptor */
extern const event_loop libuv_recording_contender; /* as a selector would use it */
extern const event_loop libev_contender;
extern const event_loop libevent_contender;
extern const event_loop sd_event_contender;

/* The one of this name, or NULL if this program holds none such. */
const event_loop *find_contender(const char *name);

#endif
