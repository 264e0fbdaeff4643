/* SPDX-License-Identifier: MIT */
/*
 * A line at regular intervals: timers, and how they are cancelled.
 *
 * One timer ticks, another is the deadline, and whichever ends first cancels
 * everything: the other one, itself, the signal handlers.  Then nothing is left to wait
 * for, and sel_run() returns. docs/twins/ticker.py is the same program in Python.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"

#include <selkie.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    double interval;
    double seconds; /* SEL_FOREVER: no deadline */
    int count;      /* 0: any number of ticks */
    int ticks;
    double start;
    sel_timer tick;
    sel_timer deadline;
} line_ticker;

static double elapsed(sel_selector *sel, const line_ticker *ticker)
{
    return sel_time(sel) - ticker->start;
}

/* Cancelling a timer that has run, or was never made, returns -ENOENT and does no harm. */
static void end(sel_selector *sel, line_ticker *ticker, const char *why)
{
    printf("%.3f  %s\n", elapsed(sel, ticker), why);
    flush_stdout();
    sel_cancel(sel, ticker->tick);
    sel_cancel(sel, ticker->deadline);
    sel_remove_signal_handler(sel, SIGINT);
    sel_remove_signal_handler(sel, SIGTERM);
}

/* The last tick cancels the very timer that called it. */
static void tick(sel_selector *sel, void *data)
{
    line_ticker *ticker = data;
    printf("%.3f  tick %d\n", elapsed(sel, ticker), ++ticker->ticks);
    flush_stdout();
    if (ticker->ticks == ticker->count)
        end(sel, ticker, "done");
}

static void time_is_up(sel_selector *sel, void *data)
{
    end(sel, data, "time is up");
}

static void interrupted(sel_selector *sel, void *data)
{
    end(sel, data, "SIGINT");
}

static void terminated(sel_selector *sel, void *data)
{
    end(sel, data, "SIGTERM");
}

static void start(sel_selector *sel, line_ticker *ticker)
{
    ticker->start = sel_time(sel);
    check(sel_call_every(sel, ticker->interval, tick, ticker, &ticker->tick), "tick");
    if (ticker->seconds < SEL_FOREVER)
        check(sel_call_later(sel, ticker->seconds, time_is_up, ticker,
                             &ticker->deadline), "set a deadline");
    check(sel_add_signal_handler(sel, SIGINT, interrupted, ticker), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, terminated, ticker), "watch SIGTERM");
}

int main(int argc, char **argv)
{
    line_ticker ticker = {.interval = 1, .seconds = SEL_FOREVER};
    const command_option options[] = {
        {"interval", 'i', "SECONDS", "the time between two lines (1)",
         .seconds = &ticker.interval},
        {"count", 'c', "N", "end after N lines (never)", .number = &ticker.count,
         .lowest = 1, .highest = 1000000},
        {"for", 'f', "SECONDS", "end after SECONDS (never)", .seconds = &ticker.seconds},
        {0}};
    read_command_line(argc, argv, "Print a line at regular intervals.", options);
    sel_selector *sel = NULL;
    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    start(sel, &ticker);

    check(sel_run(sel), "wait");

    sel_close(sel);
    return EXIT_SUCCESS;
}
