/* SPDX-License-Identifier: MIT */
/*
 * Run a command with the signals as this program itself was started with.
 *
 * uv_spawn() resets all of a command's signals to their defaults and blocks none, so a
 * nohup in front of the program would have no effect on the command.
 */
#ifndef DEMO_SPAWN_H
#define DEMO_SPAWN_H

#include <signal.h>
#include <sys/types.h>

/* How many signals the program handles or ignores for itself. */
enum { SPAWN_SIGNALS = 4 };

typedef struct {
    struct sigaction actions[SPAWN_SIGNALS];
    sigset_t blocked;
} start_signals;

/* Save how the program was started; call it before handling any signal. */
void keep_signals(start_signals *start);

/*
 * Start a command, found as a shell finds it, in a session of its own, with `out` and
 * `err` as its stdout and stderr.  Returns its process id, or a negative errno if it
 * can't be run.
 */
pid_t spawn(const start_signals *start, char **command, int out, int err);

#endif
