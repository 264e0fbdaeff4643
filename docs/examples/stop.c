/* SPDX-License-Identifier: MIT */
/*
 * Stop on a signal: the loop calls the handler like any other callback, so it may print,
 * free memory and call the library.  The first Ctrl-C stops the loop; stop.py is the same
 * in Python.
 */
#include <selkie.h>

#include <signal.h>
#include <stdio.h>

// [stop]
static void stop(sel_selector *sel, void *data)
{
    (void)data;
    puts("stopping");
    sel_stop(sel); /* sel_run() returns when this pass is done */
}
// [/stop]

static void press_control_c(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
    raise(SIGINT);
}

// [main]
int main(void)
{
    sel_selector *sel;

    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        sel_add_signal_handler(sel, SIGINT, stop, NULL) < 0 ||
        sel_add_signal_handler(sel, SIGTERM, stop, NULL) < 0 ||
        sel_call_later(sel, 0.05, press_control_c, NULL, NULL) < 0)
        return 1;
    sel_run(sel);
    puts("stopped");
    sel_close(sel); /* restores what both signals did before */
    return 0;
}
// [/main]
