/* SPDX-License-Identifier: MIT */
/*
 * A thread that reports to the loop.  Its reports are tasks, which run on the loop's thread
 * in the order they were queued, so nothing here needs a lock.
 */
#include <selkie.h>

#include <pthread.h>
#include <stdio.h>

enum { REPORTS = 3 };

typedef struct {
    sel_selector *sel;
    sel_timer alive; /* sel_run() does not count threads: this keeps it going */
    int heard;
} crew;

/* On the loop's thread. */
static void report(sel_selector *sel, void *data)
{
    crew *all = data;

    printf("report %d\n", ++all->heard);
    if (all->heard == REPORTS)
        sel_cancel(sel, all->alive);
}

/*
 * On the other thread: of all the selector's calls, only this one and sel_wakeup() are
 * allowed.
 */
static void *work(void *data)
{
    crew *all = data;

    for (int i = 0; i < REPORTS; i++)
        sel_call_soon_threadsafe(all->sel, report, all);
    return NULL;
}

static void tick(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

int main(void)
{
    crew all = {.heard = 0};
    pthread_t thread;

    if (sel_open(SEL_BACKEND_DEFAULT, &all.sel) < 0 ||
        sel_call_every(all.sel, 3600, tick, NULL, &all.alive) < 0 ||
        pthread_create(&thread, NULL, work, &all) != 0)
        return 1;

    sel_run(all.sel);

    pthread_join(thread, NULL); /* no call may begin once sel_close() has begun */
    sel_close(all.sel);
    return 0;
}
