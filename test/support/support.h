/* SPDX-License-Identifier: MIT */
/*
 * What every test file here uses: every backend as a loop variable, a
 * fixture that misses no descriptor, and short ways to make what is watched.
 */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <selkie.h>

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { BACKENDS = 5, EVERY_EVENT = SEL_EVENT_READ | SEL_EVENT_WRITE | SEL_EVENT_EXCEPT };

/* Those before it have a sel_fileno(), and report ready what a loop around them waits for. */
enum { FIRST_WITHOUT_FILENO = 3 };

/*
 * The i-th backend of uv, epoll, kqueue, poll, select: tcase_add_loop_test's _i.  At
 * BACKENDS stands the default.
 */
sel_backend backend_at(int i);
extern const char *const backend_names[BACKENDS];

/* This build has it, and TEST_BACKEND, where that is set, names it. */
bool has_backend(int i);

/* A file that leaves its number and comes back is watched on; kqueue forgets it. */
bool remembers_files(int i);

/* Those that there are: for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) */
int first_backend(void);
int next_backend(int i);

/*
 * Is a test of the `turn`th turn to run on the i-th of `end` backends? On all that there
 * are, or with TEST_TAKES_TURNS on one.
 */
bool runs_on(int i, int turn, int end);
int next_turn(void);

#define add_test_between(tcase, test, first, end)                              \
    do {                                                                       \
        for (int i_ = first; i_ < (end); i_++)                                 \
            if (has_backend(i_))                                               \
                tcase_add_loop_test(tcase, test, i_, i_ + 1);                  \
    } while (0)

#define add_test_on(tcase, test, end)                                          \
    do {                                                                       \
        int turn_ = next_turn();                                               \
                                                                               \
        for (int i_ = 0; i_ < (end); i_++)                                     \
            if (runs_on(i_, turn_, end))                                       \
                tcase_add_loop_test(tcase, test, i_, i_ + 1);                  \
    } while (0)

/*
 * Add a test that runs once on every backend that this build has.  Its name in
 * the table of results is the function's.
 */
#define add_backend_test(tcase, test) add_test_on(tcase, test, BACKENDS)
/* The same, and once more on the default one. */
#define add_selector_test(tcase, test) add_test_on(tcase, test, BACKENDS + 1)
/* On those that another loop can watch. */
#define add_fileno_test(tcase, test) add_test_between(tcase, test, 0, FIRST_WITHOUT_FILENO)

/* It opens a pipe that stays for good, and so belongs before any count of descriptors. */
void open_libuvs_first_loop(void);

/* sel_open() on the i-th backend; the test fails if that fails. */
sel_selector *open_selector(int i);

/*
 * How many descriptors one test may watch: select(2) ends at 1024, and the process
 * at its limit, which is raised.  What is less than wanted can be divided by 12.
 */
int limit_count(sel_selector *sel, int wanted);

/* A test case whose tests fail when they leave a descriptor behind. */
TCase *new_tcase(const char *name);

/* Run one suite as a program; argv and CK_RUN_CASE etc. as check has them. */
int run_suite(Suite *suite);

/*
 * A random test's seed, printed: TEST_SEED from the environment, else a new
 * one.  Its rounds: TEST_ROUNDS, else `quick`.
 */
uint64_t choose_seed(void);
int choose_rounds(int quick);
uint64_t next_random(uint64_t *state);

int count_descriptors(void);
bool is_open(int fd);
/* As far as it goes, which is returned. */
int raise_descriptor_limit(void);
/* So many are allowed; if not, a line says that the test is left out. */
bool may_open(int descriptors, const char *test);

/* Each fails the test when it fails. */
void make_pipe(int ends[2]);            /* [0] reads, [1] writes; blocking */
void make_socketpair(int ends[2]);      /* AF_UNIX, SOCK_STREAM; blocking */
void make_tcp_pair(int ends[2]);        /* two connected TCP sockets on loopback */
int make_eventfd(unsigned int value);
int open_closed_on_exec(const char *path); /* open(2) to read */
int open_always_ready(void);            /* a file that epoll refuses: a device, else a folder */
int open_regular_file(void);            /* a file without a name */
int find_closed_descriptor(void);       /* the number that the next open gets */
void move_descriptor(int fd, int number); /* dup2() and close(fd) */
void close_pair(const int ends[2]);
void put_byte(int fd);                  /* write one byte */
int replace_by_pipe(int number); /* with a byte to read: its file is now that; the other end */
void take_byte(int fd);                 /* read one byte */
void fill(int fd);                      /* write until it would block; O_NONBLOCK as before */
void set_nonblocking(int fd, bool on);

int64_t now_ns(void);                   /* CLOCK_MONOTONIC */

/* One look: the mask that fd's pair has in sel_select(sel, 0); 0: no pair. */
int look(sel_selector *sel, int fd);
/* The same after waiting for up to five seconds for any pair. */
int wait_for(sel_selector *sel, int fd);
/* How many pairs one look finds. */
int count_ready(sel_selector *sel);

/* What this thread has done so far: its calls of epoll_wait(), poll() and the like. */
typedef struct {
    long rounds;
    long sleeps;
} effort;

effort measure_effort(void);
/* The thread has done more since than so many waits that sleep. */
bool has_spun(effort before, int waits);
void assert_no_spin(effort before, int waits);
/* The thread has slept since. */
bool has_slept(effort before);

/* A wait for `seconds` finds nothing, is not early and does not spin. */
void assert_quiet(sel_selector *sel, double seconds);

/* A callback that counts; its key's data is a call_record. */
typedef struct {
    int calls;
    int mask; /* of the last call */
} call_record;

void record_call(sel_selector *sel, const sel_key *key, int mask);

/* Wait for a child that must exit with 0. */
void assert_child_succeeds(pid_t pid);

#define assert_ok(call) ck_assert_int_eq((call), 0)
#define assert_error(call, errno_value) ck_assert_int_eq((call), -(errno_value))

#endif
