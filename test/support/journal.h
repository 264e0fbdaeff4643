/* SPDX-License-Identifier: MIT */
/*
 * What the reactor's tests share: a journal of what ran in which order, single passes,
 * and a check whether a thread sleeps.
 */
#ifndef TEST_JOURNAL_H
#define TEST_JOURNAL_H

#include "support/support.h"

#include <pthread.h>

/* A task that appends its data, a string, to the journal of this process. */
void note(sel_selector *sel, void *data);
/* The same as a key's callback and as done. */
void note_ready(sel_selector *sel, const sel_key *key, int mask);
void note_done(sel_selector *sel, void *data, int status);

/* The journal holds exactly these, and is empty afterwards. */
void assert_noted(const char *expected);

/* A task that calls sel_stop(), one that counts in an int, one that must not run. */
void stop(sel_selector *sel, void *unused);
void count_task(sel_selector *sel, void *data);
void never(sel_selector *sel, void *unused);

/* Look, and dispatch what there is. Returns how many ran. */
int pass(sel_selector *sel);
/* The same, but wait for up to ten seconds for something to run. */
int wait_and_pass(sel_selector *sel);

/* What the dispatch calls. */
enum { FROM_TASK, FROM_KEY, FROM_TIMER, FROM_SIGNAL, FROM_DONE, ORIGINS };

/*
 * How many of them there are, from the first: a build without libuv has no signal
 * handlers and no jobs.
 */
int count_origins(void);

/* Have `body` called from one of them; returns after the pass in which it ran. */
void call_from(sel_selector *sel, int origin, sel_task *body, void *data);

/* Work that ends at once. */
void no_work(void *unused);

/* Under a sanitizer or valgrind, which the measured CPU time would include. */
bool is_instrumented(void);

/* Keep the processor busy. */
void work_for(int64_t ns);

void start_thread(pthread_t *thread, void *(*body)(void *), void *data);
void join_thread(pthread_t thread);

/*
 * May this many processes, at most 32, run at once? If not, prints a line that says the
 * test is left out.
 */
bool may_start(int wanted, const char *test);

/* The kernel's number of this thread; wait until that thread of this process sleeps. */
pid_t this_thread(void);
void wait_until_asleep(pid_t thread);

#endif
