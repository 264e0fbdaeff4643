/* SPDX-License-Identifier: MIT */
/*
 * Run a command with a deadline: every line of its output gets the time and the stream
 * it came from, and the exit statuses are those of timeout(1).
 *
 * One loop waits for everything: the command's two pipes and our stdout (the selector's
 * keys, in relay.c), the command's exit (SIGCHLD), the deadline (a timer) and the
 * signals to pass on. docs/twins/deadline.py is the same program in Python.
 *
 * The command's exit and the end of its output may be noticed in either order, and only
 * both together mean that everything has been seen.  It runs in a session of its own,
 * so whatever it has started ends with it.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "reactor/relay.h"
#include "reactor/spawn.h"

#include <selkie.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_TIMED_OUT = 124, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

typedef struct {
    sel_selector *sel;
    line_relay relay;
    start_signals start;
    pid_t pid;
    double timeout, grace;
    sel_timer timer;
    int steps; /* taken so far to end it */
    bool timed_out, exited;
    int status, signum; /* once it has exited */
} child_process;

/* To the whole session; a stopped process must continue to notice it. */
static void send_signal(child_process *child, int signum, const char *name)
{
    relay_print(&child->relay, "sig", name, strlen(name));
    kill(-child->pid, signum);
    kill(-child->pid, SIGCONT);
}

static void interrupt(sel_selector *sel, void *data)
{
    (void)sel;
    send_signal(data, SIGINT, "SIGINT");
}

static void terminate(sel_selector *sel, void *data)
{
    (void)sel;
    send_signal(data, SIGTERM, "SIGTERM");
}

/*
 * First ask; after the grace period kill; after another one stop waiting: whatever
 * holds the pipes has left the session, or nobody reads our stdout.
 */
static void time_is_up(sel_selector *sel, void *data)
{
    child_process *child = data;
    child->timed_out |= !child->exited;
    if (++child->steps == 1)
        send_signal(child, SIGTERM, "SIGTERM");
    else if (child->steps == 2)
        send_signal(child, SIGKILL, "SIGKILL");
    if (child->steps > 2 ||
        sel_call_later(sel, child->grace, time_is_up, child, &child->timer) < 0)
        sel_stop(sel);
}

/* After this, what is still queued for stdout is all that is left to wait for. */
static void end(child_process *child)
{
    char text[32];
    int size = child->signum != 0 ?
                   snprintf(text, sizeof text, "killed by signal %d", child->signum) :
                   snprintf(text, sizeof text, "exit code %d", child->status);
    relay_print(&child->relay, "end", text, (size_t)size);
    sel_cancel(child->sel, child->timer);
    sel_remove_signal_handler(child->sel, SIGCHLD);
    sel_remove_signal_handler(child->sel, SIGINT);
    sel_remove_signal_handler(child->sel, SIGTERM);
}

/* A pipe has ended, or stdout is gone and so the command has to end. */
static void relay_changed(sel_selector *sel, void *data)
{
    child_process *child = data;
    if (relay_has_ended(&child->relay)) {
        if (child->exited)
            end(child);
    } else if (child->relay.broken && child->steps == 0) {
        sel_cancel(sel, child->timer);
        time_is_up(sel, child);
    }
}

static void child_changed(sel_selector *sel, void *data)
{
    child_process *child = data;
    int status;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return; /* it has stopped or continued */
    child->exited = true;
    child->status = WEXITSTATUS(status);
    child->signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    relay_changed(sel, child);
}

/*
 * If they were blocked when we were started, that is for the command to inherit, not
 * for us.
 */
static void watch_signals(child_process *child)
{
    sel_selector *sel = child->sel;
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    check(sel_add_signal_handler(sel, SIGCHLD, child_changed, child), "watch SIGCHLD");
    check(sel_add_signal_handler(sel, SIGINT, interrupt, child), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, terminate, child), "watch SIGTERM");
    sigprocmask(SIG_UNBLOCK, &watched, NULL);
}

static void start(child_process *child, char **command)
{
    sel_selector *sel = child->sel;
    keep_signals(&child->start);
    signal(SIGPIPE, SIG_IGN);
    watch_signals(child);
    relay_open(&child->relay, sel, relay_changed, child);
    if (child->timeout < SEL_FOREVER)
        check(sel_call_later(sel, child->timeout, time_is_up, child, &child->timer),
              "set a deadline");
    int out = relay_add_pipe(&child->relay, 0, "out");
    int err = relay_add_pipe(&child->relay, 1, "err");
    child->pid = spawn(&child->start, command, out, err);
    if (child->pid < 0)
        fail(child->pid == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN,
             "cannot run '%s': %s", command[0], sel_strerror(child->pid));
    close(out);
    close(err);
}

static int exit_code(const child_process *child)
{
    if (child->relay.broken)
        return EXIT_FAILURE;
    if (child->timed_out && child->signum != SIGKILL)
        return EXIT_TIMED_OUT;
    return child->signum != 0 ? 128 + child->signum : child->status;
}

/* Where the command begins: after the options and their values. */
static int find_command(int argc, char **argv)
{
    static const struct option names[] = {{"timeout", required_argument, NULL, 't'},
                                          {"grace", required_argument, NULL, 'g'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0; /* read_command_line() reports errors */
    while (getopt_long(argc, argv, "+t:g:hV", names, NULL) != -1)
        continue;
    int first = optind;
    opterr = 1;
    optind = 0;
    return first;
}

int main(int argc, char **argv)
{
    child_process child = {.timeout = SEL_FOREVER, .grace = 5};
    const command_option options[] = {
        {"timeout", 't', "SECONDS", "send SIGTERM after SECONDS (never)",
         .seconds = &child.timeout},
        {"grace", 'g', "SECONDS", "send SIGKILL SECONDS after that (5)",
         .seconds = &child.grace},
        {0}};
    int first = find_command(argc, argv);
    read_command_line(first, argv, "Run a COMMAND [ARGUMENT]... with a deadline.",
                      options);
    if (first == argc)
        fail(EXIT_USAGE, "there is no command to run");
    check(sel_open(SEL_BACKEND_DEFAULT, &child.sel), "open a selector");
    start(&child, argv + first);

    check(sel_run(child.sel), "wait");

    relay_close(&child.relay);
    sel_close(child.sel);
    return exit_code(&child);
}
