/* SPDX-License-Identifier: MIT */
/*
 * What the reactor was given to call, and the rules by which it may: exactly once, never
 * before its time or its pass, never after it was taken back, in its order.
 *
 * An item is one thing to call.  It is never used again in the same input, so that a call
 * that comes too late meets an item that knows better.
 */
#ifndef TEST_FUZZ_REACTOR_MODEL_H
#define TEST_FUZZ_REACTOR_MODEL_H

#include <selkie.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MOST_ITEMS = 48, SIGNALS = 3, NO_ITEM = -1, MOST_RUNS = 3 };

typedef enum { SOON, POSTED, FROM_WORK, ONCE, EVERY, JOB, SIGNAL, READY } item_kind;

typedef struct {
    item_kind kind;
    bool pending;     /* it is still to be called */
    const void *then; /* what it does when it is called */
    uint64_t pass;    /* that it was made in */
    int dispatch;     /* and the dispatch, or run */
    bool inside;      /* it was made by a callback */
    sel_timer timer;
    double start, interval;
    double lowest, highest; /* it is due in between, in seconds */
    bool at_once;           /* in the next pass, whatever the clock says */
    int runs;
    _Atomic bool worked;
    int poster; /* of a job: the FROM_WORK item that its work posts */
} item;

/* A signal: its handler, and what came since that was added. */
typedef struct {
    int signum;
    int handler; /* an item, or NO_ITEM */
    int raised, called;
    bool owed; /* raised, and not called since */
} watched_signal;

typedef struct {
    sel_selector *sel;
    item items[MOST_ITEMS];
    int length;
    watched_signal signals[SIGNALS];
    bool dispatching, closing, running;
    bool stopped, woken;
    int dispatches;   /* and runs */
    int calls;        /* in this one */
    uint64_t all_calls;
    void (*work)(const void *then);
} reactor_model;

extern reactor_model model;

void open_model(sel_backend backend, void (*work)(const void *then));

/* Close the selector: what was not called by then never is, but for results. */
void close_model(void);

/* A new item, or NULL where there have been too many. */
item *new_item(item_kind kind, const void *then);

/* The library refused it. */
void drop_item(item *dropped);

/* It was made or rescheduled between these two looks at the clock. */
void set_due(item *timer, double delay, double before, double after);

double read_clock(void);
uint64_t count_passes(void);

/* Given to the library, with an item as data. */
sel_task run_task, run_timer, run_signal;
sel_done run_done;
void run_work(void *data);
sel_callback run_ready;

/* Nothing may be called before, and everything that had to be was, after. */
typedef struct {
    double clock;
    uint64_t pass;
    int length;
    watched_signal signals[SIGNALS];
} moment;

moment begin_pass(void);
void check_pass(const moment *begin);

bool is_anything_pending(void);
void check_statistics(void);
void check_timeout(void);
void check_alive(void);
void expect(const char *call, int result, int wanted);

#endif
