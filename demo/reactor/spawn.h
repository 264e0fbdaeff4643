/* SPDX-License-Identifier: MIT */
/*
 * Run a command with what this program was itself started with.
 *
 * uv_spawn() sets every signal of a command back to its default and blocks none, so that
 * a nohup in front of the program would be lost on the command.
 */
#ifndef DEMO_SPAWN_H
#define DEMO_SPAWN_H

#include <signal.h>
#include <sys/types.h>

/* The signals that the program handles or ignores for itself. */
enum { SPAWN_SIGNALS = 4 };

typedef struct {
    struct sigaction actions[SPAWN_SIGNALS];
    sigset_t blocked;
} start_signals;

/* Keep what the program was started with; before it handles any signal. */
void keep_signals(start_signals *start);

/*
 * Start a command, found as by a shell, in a session of its own, with `out` and `err` as
 * its stdout and stderr.  Returns its process id, or a negative errno: it can't be run.
 */
pid_t spawn(const start_signals *start, char **command, int out, int err);

#endif
