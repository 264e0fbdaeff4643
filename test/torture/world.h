/* SPDX-License-Identifier: MIT */
/*
 * A selector, what it should hold, and ways to use it while calls fail under it.
 *
 * Every use of the library is an ATTEMPT: armed while it lasts, and made again
 * when it failed because something under it was made to fail. An attempt that
 * failed must have said why and must have left everything as it was, which is
 * looked at each time: the keys, and that one of them still tells what comes.
 */
#ifndef TORTURE_WORLD_H
#define TORTURE_WORLD_H

#include "faults.h"

#include <selkie.h>

enum { READ = SEL_EVENT_READ, WRITE_ = SEL_EVENT_WRITE, EXCEPT = SEL_EVENT_EXCEPT };
enum { MOST_KEYS = 1200 };

/* What a key's callback counts into; its key's data. */
typedef struct {
    const char *name;
    int calls;
    int mask; /* of the last call */
} call_record;

typedef struct {
    sel_backend backend;
    sel_selector *sel;
    sel_key keys[MOST_KEYS]; /* that it should hold, in the order they came */
    int count;
    int fds[2 * MOST_KEYS]; /* the program's descriptors, that are open */
    int fds_length;
    int beacon[2];   /* a pipe; what a failure must not disturb */
    bool pending;    /* a look would take what the scenario waits for */
    bool attached;   /* to a loop, which waits in its place */
    bool orphaned;   /* forked, and not followed */
} world;

typedef struct {
    world *w;
    const char *what;
    long struck;
    int failures;
    bool was_armed;
} attempt;

void begin_attempt(attempt *a);
/* Is it to be made again? Ends the run if it failed as it must not. */
bool end_attempt(attempt *a, int result, int expected);

#define ATTEMPT(world_, result, expression)                                    \
    do {                                                                       \
        attempt attempt_ = {.w = (world_), .what = #expression};               \
        do {                                                                   \
            begin_attempt(&attempt_);                                          \
            (result) = (expression);                                           \
        } while (end_attempt(&attempt_, (result) < 0 ? (int)(result) : 0, 0)); \
    } while (0)

/* The same of a call whose result is known: a count, or an error of the program's. */
#define EXPECT(world_, expected, expression)                                   \
    do {                                                                       \
        attempt attempt_ = {.w = (world_), .what = #expression};               \
        int result_;                                                           \
        do {                                                                   \
            begin_attempt(&attempt_);                                          \
            result_ = (expression);                                            \
        } while (end_attempt(&attempt_, result_, (expected)));                 \
    } while (0)

/* A call without a result. */
#define CALL(expression)                                                       \
    do {                                                                       \
        bool armed_ = faults_arm(true);                                        \
        expression;                                                            \
        faults_arm(armed_);                                                    \
    } while (0)

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            fail_run("%s:%d: not so: %s", __FILE__, __LINE__, #condition);     \
    } while (0)

/* Open the selector, with nothing failing or in an attempt, and its beacon. */
void open_world(world *w, bool is_attempt);
/* Close the selector and all of the program's descriptors. */
void close_world(world *w);

/* The program's own descriptors: closed with the world, or before by shut(). */
int keep(world *w, int fd);
void make_pipe(world *w, int ends[2]);
void make_pair(world *w, int ends[2]); /* AF_UNIX, SOCK_STREAM, not blocking */
int make_eventfd(world *w, unsigned int count);
int move_up(world *w, int fd, int number); /* to one that nobody else will get */
void shut(world *w, int fd);
void put_byte(int fd);
void take_byte(int fd);
void put_count(int fd); /* into an eventfd */
void fill(int fd); /* until it would block */

/* sel_register() etc., which what it should hold follows. */
void enroll(world *w, int fd, int events, call_record *record);
void change(world *w, int fd, int events);
void drop(world *w, int fd);

/* Wait until these are ready for exactly that, together. */
void await_all(world *w, int length, const int *fds, int mask);
void await(world *w, int fd, int mask);
/* Wait for a wake-up that has been sent, or will be. */
void await_wakeup(world *w);
/* The wait finds nothing, is not early and does not spin. */
void await_nothing(world *w, double seconds);
/* sel_dispatch(); how many it calls is the scenario's to know. */
void dispatch(world *w);

/* Pass after pass until something has been called so often. */
void run_until(world *w, const int *calls, int wanted);

/* The callback of a key whose data is a call_record. */
void count_call(sel_selector *sel, const sel_key *key, int mask);
/* Note what was counted, and count anew. */
void report(call_record *record);

/* What should be registered for a descriptor, or NULL. */
sel_key *find_key(world *w, int fd);
bool is_same_key(const sel_key *a, const sel_key *b);

/* Does what was kept agree with sel_get_map()? */
void verify_map(world *w);

typedef struct {
    const char *name;
    void (*run)(world *w);
} scenario;

/* These open the world themselves. */
extern const scenario opening_scenarios[];
extern const scenario key_scenarios[], wait_scenarios[];
extern const scenario reactor_scenarios[], fork_scenarios[];

#endif
