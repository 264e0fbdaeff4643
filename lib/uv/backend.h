/* SPDX-License-Identifier: MIT */
/*
 * The `uv` backend: one libuv loop, on which there are only watchers and a timer.
 *
 * set.c      what stands in the loop's set: sent, forked
 * on_epoll.c, on_kqueue.c   how the kernel is told, whichever it has
 * rounds.c   more than libuv takes at a time
 * watcher.c  one descriptor
 */
#ifndef SEL_UV_BACKEND_H
#define SEL_UV_BACKEND_H

#include "backend/urgent.h"
#include "base/descriptor.h"
#include "selector/selector.h"
#include "uv/loop.h"

#include <uv.h>

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
 * After a fork what is WATCHED is UNSENT again. Back to STOPPED: what was never sent is forgotten, libuv stops what has an error,
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
    struct sel__uv_state *state;
    sel__entry *entry; /* of its number */
    int fd;
    int expected;    /* libuv's bits that are all the key wants, or one never told */
    int next_unsent; /* a descriptor, SEL__NO_FD or SEL__UNLISTED */
    sel__uv_phase phase;
} sel__uv_watcher;

/* See rounds.c. */
typedef struct {
    int set;   /* the loop's epoll set under another number; -1: not needed yet. With
                  kqueue: the queue, while something is watched for EXCEPT */
    int empty; /* a set that nothing is in */
    int told;  /* by libuv since it was run */
    bool over; /* the loop's number means the empty set */
} sel__uv_rounds;

typedef struct sel__uv_state {
    sel__loop loop; /* first: it is what is left behind */
    sel_selector *sel;
    sel__uv_watcher **watchers; /* by descriptor */
    int length;                 /* of watchers */
    int handles;                /* how many watchers there are */
    int first_unsent; /* list of watchers; may hold some that are no longer UNSENT */
    bool unsent; /* something was started that libuv has yet to tell the kernel */
    bool stale;  /* the kernel may hold a ghost: a closed file under a number */
    sel__uv_rounds rounds;
    sel__urgent urgent; /* with kqueue: libuv can't tell of out-of-band bytes there */
    uv_timer_t alarm;
    int64_t alarm_deadline; /* that it goes off for; SEL__FOREVER: it does not */
} sel__uv_state;

/* The set that the kernel is to hear of changes for. */
static inline int sel__uv_set(const sel__uv_state *state)
{
    return state->rounds.over ? state->rounds.set : uv_backend_fd(&state->loop.uv);
}

static inline int sel__from_uv(int events)
{
    return ((events & UV_READABLE) ? SEL_EVENT_READ : 0) |
           ((events & UV_WRITABLE) ? SEL_EVENT_WRITE : 0) |
           ((events & UV_PRIORITIZED) ? SEL_EVENT_EXCEPT : 0);
}

/* --- on_epoll.c or on_kqueue.c --- */

/* epoll's numbers. */
typedef enum { SEL__UV_ADD = 1, SEL__UV_REMOVE = 2, SEL__UV_CHANGE = 3 } sel__uv_operation;

/*
 * Tell the kernel, in libuv's words: it finds a handle by what comes back with an
 * event. No events: a paused key, of which a hang-up is told once at most.
 * Returns 0 or -errno.
 */
int sel__uv_control(sel__uv_state *state, int set, sel__uv_operation operation, int fd,
                    int events);

/* What libuv is told to watch for: all that there is, so that it need be told once only. */
int sel__uv_everything(const sel__uv_watcher *watcher);

/* What is ready where libuv says `events`, and may not say all. */
int sel__uv_ask(const sel__uv_watcher *watcher, int events);

/* As sel__backend has it. */
bool sel__uv_knows(void *state, int fd);

/* Look at every key, and give the loop a new set: what can't be taken out is left in the old. */
int sel__uv_renew(sel__uv_state *state);

/* In a child, until libuv has followed: what libuv takes out of the set is the parent's. */
void sel__uv_hide_set(sel__uv_state *state);

/* --- set.c --- */

/*
 * Let libuv tell the kernel what was started, after a look whether each is still
 * its file, and set the kernel right again.
 */
int sel__uv_send(sel__uv_state *state);

/* Put what is watched into a new set of the loop's. */
int sel__uv_fill(sel__uv_state *state, int set);

/* Follow a fork. */
int sel__uv_follow_fork(sel__uv_state *state);

/* --- rounds.c, or on_kqueue.c, where there are none --- */

/* Before there is another watcher. 0 or a negative errno. */
int sel__uv_prepare_rounds(sel__uv_state *state);

/* Another descriptor was told. */
void sel__uv_told(sel__uv_state *state);

/* uv_run(), and what it would have gone on for. 0 or -errno. */
int sel__uv_run_rounds(sel__uv_state *state, uv_run_mode mode);

static inline int sel__uv_run(sel__uv_state *state, uv_run_mode mode)
{
    if (state->rounds.set >= 0)
        return sel__uv_run_rounds(state, mode);
    uv_run(&state->loop.uv, mode);
    return 0;
}

/* With epoll: the loop's number means this set from now on. 0 or -errno. */
int sel__uv_replace_set(sel__uv_state *state, int fresh);

void sel__uv_close_rounds(sel__uv_state *state);

/* --- watcher.c --- */

/* Make the handle; the descriptor's flags stay what they are. */
int sel__uv_open_watcher(sel__uv_watcher *watcher);

/* From now on each that is told is counted, by sel__uv_told(). */
void sel__uv_count(sel__uv_watcher *watcher);

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

#endif
