/* SPDX-License-Identifier: MIT */
/*
 * Waiting for what must come, and for what must not, while calls fail.
 */
#include "world.h"

#include <sys/resource.h>
#include <time.h>

/* What must be there is there at once; what was lost is not worth more. */
static const double PATIENCE = 0.02;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* What is told is of keys that are there, and of nothing that they don't ask for. */
static void verify_pairs(world *w, const sel_ready *ready, int count)
{
    for (int i = 0; i < count; i++) {
        const sel_key *key = find_key(w, ready[i].key.fd);

        if (key == NULL || !is_same_key(key, &ready[i].key))
            fail_run("descriptor %d is told of, whose key is another's", ready[i].key.fd);
        if (ready[i].mask == 0 || (ready[i].mask & ~key->events))
            fail_run("descriptor %d is ready for %#x, of %#x", key->fd,
                     (unsigned int)ready[i].mask, (unsigned int)key->events);
    }
}

static int find_mask(const sel_ready *ready, int count, int fd)
{
    for (int i = 0; i < count; i++)
        if (ready[i].key.fd == fd)
            return ready[i].mask;
    return 0;
}

/* A key that has gone silent for a lie comes back by being registered again. */
static void enroll_again(world *w, int fd)
{
    const sel_key *key = find_key(w, fd);
    int events = key->events;
    call_record *record = key->data;

    drop(w, fd);
    enroll(w, fd, events, record);
}

/* poll(2) is the second question: unanswered, the rest is told by the next wait. */
static bool may_be_incomplete(int got, int mask)
{
    return fault_run->plan.call == POLL && fault_run->struck > 0 && (got & ~mask) == 0;
}

/* Are all as they should be? Those that a lie has silenced are registered again. */
static bool are_ready(world *w, const sel_ready *ready, int count, int length, const int *fds,
                      int mask)
{
    static int silent[MOST_KEYS];
    int silent_length = 0;
    bool is_incomplete = false;

    for (int i = 0; i < length; i++) {
        int got = find_mask(ready, count, fds[i]);

        if (got == 0 && faults_lied())
            silent[silent_length++] = fds[i];
        else if (got != mask && may_be_incomplete(got, mask))
            is_incomplete = true;
        else if (got != mask)
            fail_run("descriptor %d of %d is ready for %#x, not %#x (%d are)", fds[i], length,
                     (unsigned int)got, (unsigned int)mask, count);
    }
    for (int i = 0; i < silent_length; i++)
        enroll_again(w, silent[i]);
    return silent_length == 0 && !is_incomplete;
}

void await_all(world *w, int length, const int *fds, int mask)
{
    const sel_ready *ready = NULL;
    int count;

    for (int i = 0; i < 6; i++) {
        ATTEMPT(w, count, sel_select(w->sel, PATIENCE, &ready));
        verify_pairs(w, ready, count);
        if (are_ready(w, ready, count, length, fds, mask))
            return;
    }
    fail_run("what was registered again stays silent");
}

void await(world *w, int fd, int mask)
{
    await_all(w, 1, &fd, mask);
}

/* Of one that could not be sent, the program hears nothing: the next must come. */
void await_wakeup(world *w)
{
    w->pending = true;
    for (int i = 0; i < 4; i++) {
        bool was_unsent = fault_run->plan.call == EVENTFD_WRITE && fault_run->struck > i;
        double patience = was_unsent ? 0.01 : 5;
        double began = now();

        EXPECT(w, 0, sel_select(w->sel, patience, NULL));
        w->pending = now() - began >= patience;
        if (!w->pending)
            return;
        if (!was_unsent)
            break;
        EXPECT(w, 0, sel_wakeup(w->sel));
    }
    fail_run("a wake-up was lost");
}

static long count_sleeps(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

/* What spins never sleeps; neither does a wait whose time went by before it began. */
void await_nothing(world *w, double seconds)
{
    for (int i = 0; i < 5; i++) {
        const sel_ready *ready = NULL;
        double began = now();
        long sleeps = count_sleeps();
        int count;

        ATTEMPT(w, count, sel_select(w->sel, seconds, &ready));
        verify_pairs(w, ready, count);
        if (count > 0)
            fail_run("descriptor %d is ready for %#x, and nothing should be",
                     ready[0].key.fd, (unsigned int)ready[0].mask);
        if (now() - began < seconds && fault_run->plan.call == EVENTFD_READ)
            continue; /* a wake-up that could not be taken comes again */
        CHECK(now() - began >= seconds);
        if (seconds == 0 || count_sleeps() > sleeps)
            return;
    }
    fail_run("waits in which nothing comes do not sleep");
}

void dispatch(world *w)
{
    int count;

    ATTEMPT(w, count, sel_dispatch(w->sel));
}

void run_until(world *w, const int *calls, int wanted)
{
    w->pending = true;
    for (int i = 0; i < 200 && *calls < wanted; i++) {
        int count;

        ATTEMPT(w, count, sel_select(w->sel, 0.1, NULL));
        dispatch(w);
    }
    w->pending = false;
    if (*calls != wanted)
        fail_run("called %d times, not %d", *calls, wanted);
}

/* --- callbacks --- */

void count_call(sel_selector *sel, const sel_key *key, int mask)
{
    call_record *record = key->data;

    (void)sel;
    record->calls++;
    record->mask = mask;
}

void report(call_record *record)
{
    note("%s: %d calls, the last for %#x\n", record->name, record->calls,
         (unsigned int)record->mask);
    record->calls = record->mask = 0;
}
