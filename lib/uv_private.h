/* SPDX-License-Identifier: MIT */
/*
 * The libuv loops that the `uv` backend keeps to itself.
 *
 * uv_run() takes 1024 events at a time and, while that many come, asks again up
 * to 48 times; a callback that only records readiness leaves all of it ready,
 * and 2,000 ready descriptors cost 48 rounds. So a loop holds fewer than that: a
 * thousand keys, the library's own three and 20 portals. A portal is a poll handle
 * on the uv_backend_fd() of a further loop:
 *
 *     loops[0] ──portal──► loops[1]      loops[i]'s portal is on
 *        │ └────portal───► loops[2]      loops[(i - 1) / PORTALS]
 *        └──────...
 *
 * Only watchers, portals and one timer are ever on these loops.
 */
#ifndef SEL_UV_PRIVATE_H
#define SEL_UV_PRIVATE_H

#include "descriptor.h"
#include "selector.h"

#include <uv.h>

enum { SEL__UV_WATCHERS = 1003, SEL__UV_PORTALS = 20 };

struct sel__uv_loop;

/*
 * One descriptor. It belongs to the number and not to a registration: a libuv
 * handle can only be freed by running its loop, so it stays, stopped, for the
 * number's next file.
 */
typedef struct sel__uv_watcher {
    uv_poll_t poll;
    struct sel__uv_loop *home;
    sel__entry *entry; /* of its number */
    int fd;
    int wanted;     /* libuv's bits that the handle was started with last */
    bool in_kernel; /* the kernel may know it, also when libuv has stopped it */
    bool connected; /* a socket whose hang-up always shows as readable too */
} sel__uv_watcher;

typedef struct sel__uv_loop {
    uv_loop_t uv;
    uv_poll_t *portal; /* NULL for the first, and when it could not be made */
    struct sel__uv_state *state;
    int watchers;
    int reach;   /* descriptors below it fit what libuv has allocated */
    bool unsent; /* something was started that only uv_run tells the kernel */
    bool stale;  /* the kernel may hold a ghost: a closed file under a number */
} sel__uv_loop;

typedef struct sel__uv_state {
    sel_selector *sel;
    sel__uv_watcher **watchers; /* by descriptor */
    int length;                 /* of watchers */
    sel__uv_loop **loops;
    int loops_length;
    bool unsent; /* of any loop */
    bool stale;  /* of any loop; and no key may be sent before a look at all */
    bool lost;   /* a fork could not be followed: the loops must not run */
    uv_timer_t alarm;
    int64_t alarm_ms; /* when it goes off, on CLOCK_MONOTONIC */
} sel__uv_state;

/* SEL_EVENT_ bits to libuv's. */
int sel__uv_from_events(int events);

/* Make the handle; the descriptor's flags stay what they are. */
int sel__uv_open_watcher(sel__uv_watcher *watcher);

/*
 * Would the kernel take it? 0, or why not: files that are always ready, and sets
 * around each other in a circle.
 */
int sel__uv_try_add(const sel__uv_watcher *watcher);

/* Watch for what is wanted; again, where the kernel has forgotten. */
int sel__uv_start(sel__uv_watcher *watcher);
int sel__uv_start_again(sel__uv_watcher *watcher);

/*
 * Take the descriptor out of the kernel's set. libuv would do so too but does
 * not say whether it could: if not, the number is closed or another file by
 * now, and the file that was registered may come back as a ghost.
 */
bool sel__uv_take_out(sel__uv_watcher *watcher);

/* The number of a stopped watcher may be the library's own by now: hands off. */
void sel__uv_stop(sel__uv_watcher *watcher);

/* A loop with room for one more watcher; made if need be. */
int sel__uv_find_loop(sel__uv_state *state, sel__uv_loop **ret_loop);

/* Tell the kernel what was started on the loops below the first. */
void sel__uv_send(sel__uv_state *state);

/* Look at every key, and give every loop with a ghost a new epoll set. */
int sel__uv_renew(sel__uv_state *state);

/* Follow a fork. */
int sel__uv_follow_fork(sel__uv_state *state);

/* Close every handle and free every loop and watcher. */
void sel__uv_close_loops(sel__uv_state *state);

#endif
