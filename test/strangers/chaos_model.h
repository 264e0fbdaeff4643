/* SPDX-License-Identifier: MIT */
/* What two selectors and the descriptors in them must be, after each call. */
#ifndef CHAOS_MODEL_H
#define CHAOS_MODEL_H

#include "stranger.h"

enum { NUMBERS = 1024, MOST_OPEN = 500, TIMERS = 32 };

struct key {
    bool is_there;
    bool is_doubtful; /* its number was closed or replaced since it was registered */
    int file, events, serial;
    int born; /* the serial it was registered with */
    sel_callback *callback;
    int pair; /* what is left of the batch's mask */
    bool is_passed_over; /* it may have been: it had no callback at some time */
};

struct timer {
    sel_timer id;
    double due, latest; /* the call was between the two clocks that made these */
    int pass;
};

struct world {
    sel_selector *sel;
    struct key keys[NUMBERS];
    struct timer timers[TIMERS];
    int tasks, tasks_run;
    int tasks_before; /* the pass at hand */
    int passes, calls;
    int phase; /* of a pass: tasks, callbacks, timers */
    bool is_in_callback, is_woken;
};

extern struct world worlds[2];

/* What chaos.c does in each task, callback and timer. */
void act(void);

void model_start(void);
void model_open(struct world *world, sel_backend backend);

int count_open(void);
int pick_open(void); /* -1 where there is none */
int pick_number(struct world *world);
void model_opened(int fd);
void model_duplicated(int from, int to);
void model_closed(int fd);

void model_register(struct world *world, int fd, int events, sel_callback *callback);
void model_modify(struct world *world, int fd, int events, sel_callback *callback);
void model_unregister(struct world *world, int fd);
void model_queue(struct world *world, bool is_threadsafe);
void model_start_timer(struct world *world, int milliseconds);
void model_reschedule_timer(struct world *world, int milliseconds);
void model_cancel_timer(struct world *world);
void model_wake(struct world *world);

/* One sel_select() and one sel_dispatch(). */
void model_pass(struct world *world, double timeout);

/* A callback has begun; it has returned. */
struct world *model_called(sel_selector *sel, const sel_key *key, int mask,
                           sel_callback *callback);
void model_returned(struct world *world);

#endif
