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

#include "base/descriptor.h"
#include "selector/selector.h"

#include <uv.h>

enum { SEL__UV_WATCHERS = 1003, SEL__UV_PORTALS = 20 };

struct sel__uv_loop;

/*
 * How far a descriptor has come. libuv is told of a number once, with every event
 * that there is, and from then on only we speak to the kernel: so each refusal is
 * ours to hear and never libuv's, which would end the process.
 *
 *             watch()            send()              forget()
 *     STOPPED ──────► UNSENT ──────────────► WATCHED ────────► RESTING
 *        ▲              │                      │    ◄────────     │
 *        └──────────────┴──────────────────────┘      watch()     │
 *        └────────────────────────────────────────────────────────┘
 *
 * Back to STOPPED: what was never sent is forgotten, libuv stops what has an error,
 * and what rests is stopped before libuv itself opens a descriptor for the loop.
 */
typedef enum {
    SEL__UV_STOPPED, /* neither libuv nor the kernel watches */
    SEL__UV_UNSENT,  /* the kernel does; libuv will, at its next run, say so too */
    SEL__UV_WATCHED, /* both do */
    SEL__UV_RESTING  /* libuv would, but the kernel does not: there is no key */
} sel__uv_phase;

/*
 * One descriptor. It belongs to the number and not to a registration: a libuv
 * handle can only be freed by running its loop, so it stays for the number's next
 * file.
 */
typedef struct sel__uv_watcher {
    uv_poll_t poll;
    struct sel__uv_loop *home;
    sel__entry *entry; /* of its number */
    int fd;
    int expected;    /* libuv's bits that are all the key wants, or one never told */
    int next_unsent; /* a descriptor, SEL__NO_FD or SEL__UNLISTED */
    sel__uv_phase phase;
} sel__uv_watcher;

typedef struct sel__uv_loop {
    uv_loop_t uv;
    uv_poll_t *portal; /* NULL for the first, and when it could not be made */
    struct sel__uv_state *state;
    int watchers;
    bool is_last; /* the kernel lets none be nested any deeper: this one takes all */
    bool unsent; /* something was started that libuv has yet to tell the kernel */
    bool stale;  /* the kernel may hold a ghost: a closed file under a number */
} sel__uv_loop;

typedef struct sel__uv_state {
    sel_selector *sel;
    sel__uv_watcher **watchers; /* by descriptor */
    int length;                 /* of watchers */
    sel__uv_loop **loops;
    int loops_length;
    int first_unsent; /* list of watchers; may hold some that are no longer UNSENT */
    bool unsent; /* of any loop */
    bool stale;  /* of any loop */
    bool lost;   /* a fork could not be followed: the loops must not run */
    bool gone;   /* because the child has closed their descriptors */
    uv_timer_t alarm;
    int64_t alarm_ms; /* when it goes off, on CLOCK_MONOTONIC */
    struct sel__uv_state *next; /* among those that a child has left behind */
} sel__uv_state;

/*
 * epoll_ctl() in libuv's words: it finds a handle by data.fd. No events: a paused
 * key, of which a hang-up is told once at most. Returns 0 or -errno.
 */
int sel__uv_control(int set, int operation, int fd, int events);

/* Make the handle; the descriptor's flags stay what they are. */
int sel__uv_open_watcher(sel__uv_watcher *watcher);

/* Watch for what the key wants, from STOPPED or RESTING. */
int sel__uv_watch(sel__uv_watcher *watcher);

/* The same for a key that is watched; one that is another file by now is gone. */
int sel__uv_arm(sel__uv_watcher *watcher);

/*
 * Watch no longer. If the kernel does not know the number, it is closed or another
 * file by now, and the file that was registered may come back as a ghost.
 */
void sel__uv_forget(sel__uv_watcher *watcher);

/* RESTING to STOPPED. */
void sel__uv_stop(sel__uv_watcher *watcher);

/* The kernel watches; libuv is to be told. And libuv has been. */
void sel__uv_list_unsent(sel__uv_watcher *watcher);
void sel__uv_sent(sel__uv_watcher *watcher);

/* A loop with room for one more watcher; made if need be. */
int sel__uv_find_loop(sel__uv_state *state, sel__uv_loop **ret_loop);

/*
 * Let libuv tell the kernel what was started, after a look whether each is still
 * its file, and set the kernel right again.
 */
int sel__uv_send(sel__uv_state *state);

/* Look at every key, and give every loop with a ghost a new epoll set. */
int sel__uv_renew(sel__uv_state *state);

/* Follow a fork. */
int sel__uv_follow_fork(sel__uv_state *state);

/* Close every handle and free every loop and watcher. */
void sel__uv_close_loops(sel__uv_state *state);

#endif
