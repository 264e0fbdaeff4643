/* SPDX-License-Identifier: MIT */
/*
 * The `uv` backend: one libuv loop, with nothing on it but watchers and a timer.
 *
 *   set.c      what is in the loop's set: sending, renewing, following a fork
 *   on_epoll.c, on_kqueue.c   how the kernel is told
 *   rounds.c   more events than libuv takes at a time
 *   watcher.c  one descriptor
 */
#ifndef SEL_UV_BACKEND_H
#define SEL_UV_BACKEND_H

#include "backend/urgent.h"
#include "base/descriptor.h"
#include "selector/selector.h"
#include "uv/loop.h"

#include <uv.h>

/*
 * A descriptor's phase. libuv is told of a number once, with every event there is, and
 * from then on only we speak to the kernel. So each refusal comes to us and not to
 * libuv, which would abort.
 *
 *             watch()            send()              forget()
 *     STOPPED ──────► UNSENT ──────────────► WATCHED ────────► RESTING
 *        ▲              │                      │    ◄────────     │
 *        └──────────────┴──────────────────────┘      watch()     │
 *        └────────────────────────────────────────────────────────┘
 *
 * After a fork, WATCHED becomes UNSENT again. The ways back to STOPPED: a watcher that
 * was never sent is forgotten, libuv stops one with an error, and a resting one is
 * stopped before libuv itself opens a descriptor for the loop.
 */
typedef enum {
    SEL__UV_STOPPED, /* neither libuv nor the kernel watches it */
    SEL__UV_UNSENT,  /* the kernel does; libuv will tell it the same at its next run */
    SEL__UV_WATCHED, /* both do */
    SEL__UV_RESTING  /* libuv would, but the kernel does not: there is no key */
} sel__uv_phase;

/*
 * One descriptor. A watcher belongs to the number, not to a registration: a libuv
 * handle can only be freed by running its loop, so it stays for the number's next file.
 */
typedef struct sel__uv_watcher {
    uv_poll_t poll;
    struct sel__uv_state *state;
    sel__entry *entry; /* of its number */
    int fd;
    int expected;    /* libuv's bits for all that the key wants, or one that is never set */
    int next_unsent; /* a descriptor, SEL__NO_FD or SEL__UNLISTED */
    sel__uv_phase phase;
} sel__uv_watcher;

/* See rounds.c. */
typedef struct {
    int set;   /* the loop's epoll set under another number; -1: not needed yet. With
                  kqueue: the queue, while something is watched for EXCEPT */
    int empty; /* an empty set */
    int told;  /* how many libuv has reported in this run */
    bool over; /* the loop's number stands for the empty set */
} sel__uv_rounds;

typedef struct sel__uv_state {
    sel__loop loop; /* first: this is what is left behind */
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
    int64_t alarm_deadline; /* that the alarm is for; SEL__FOREVER: it is not set */
} sel__uv_state;

/* The real set, in which changes have to be made. */
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
 * Tell the kernel what libuv would: libuv finds a handle by what comes back with an event.
 * With no events the key is paused, and a hang-up is reported at most once. Returns 0 or
 * -errno.
 */
int sel__uv_control(sel__uv_state *state, int set, sel__uv_operation operation, int fd,
                    int events);

/* What libuv is told to watch for: all that there is, so that it need be told once only. */
int sel__uv_everything(const sel__uv_watcher *watcher);

/* What is ready where libuv says `events`, and may not say all. */
int sel__uv_ask(const sel__uv_watcher *watcher, int events);

/* As in sel__backend. Only on_kqueue.c has it: with epoll, device and inode say it. */
bool sel__uv_knows(void *state, int fd);

/* Look at every key, and give the loop a new set: what can't be taken out is left in the old. */
int sel__uv_renew(sel__uv_state *state);

/* In a child, until libuv has followed: what libuv takes out of the set is the parent's. */
void sel__uv_hide_set(sel__uv_state *state);

/* --- set.c --- */

/*
 * Check that each started descriptor still stands for its file, let libuv tell the
 * kernel about them, and set the wanted events again.
 */
int sel__uv_send(sel__uv_state *state);

/* Put every watched key into a new set for the loop. */
int sel__uv_fill(sel__uv_state *state, int set);

/* Follow a fork. */
int sel__uv_follow_fork(sel__uv_state *state);

/* --- rounds.c, or on_kqueue.c, where there are none --- */

/* Called before a watcher is added. Returns 0 or a negative errno. */
int sel__uv_prepare_rounds(sel__uv_state *state);

/* libuv has reported one more descriptor. */
void sel__uv_told(sel__uv_state *state);

/* uv_run(), and whatever it would have gone on to report. Returns 0 or -errno. */
int sel__uv_run_rounds(sel__uv_state *state, uv_run_mode mode);

static inline int sel__uv_run(sel__uv_state *state, uv_run_mode mode)
{
    if (state->rounds.set >= 0)
        return sel__uv_run_rounds(state, mode);
    uv_run(&state->loop.uv, mode);
    return 0;
}

/* With epoll: make the loop's number stand for this set. Returns 0 or -errno. */
int sel__uv_replace_set(sel__uv_state *state, int fresh);

void sel__uv_close_rounds(sel__uv_state *state);

/* --- watcher.c --- */

/* Make the handle; the descriptor's flags stay what they are. */
int sel__uv_open_watcher(sel__uv_watcher *watcher);

/* From now on its reports are counted, by sel__uv_told(). */
void sel__uv_count(sel__uv_watcher *watcher);

/* Watch for what the key wants, from STOPPED or RESTING. */
int sel__uv_watch(sel__uv_watcher *watcher);

/* The same for a key that is watched; one whose number is another file by now is gone. */
int sel__uv_arm(sel__uv_watcher *watcher);

/*
 * Stop watching. If the kernel does not know the number, it is closed or another file
 * by now, and the registered file may come back as a ghost.
 */
void sel__uv_forget(sel__uv_watcher *watcher);

/* From RESTING to STOPPED. */
void sel__uv_stop(sel__uv_watcher *watcher);

/* The kernel watches it, and libuv must be told; libuv has been told. */
void sel__uv_list_unsent(sel__uv_watcher *watcher);
void sel__uv_sent(sel__uv_watcher *watcher);

#endif
