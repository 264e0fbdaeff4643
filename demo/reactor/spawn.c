/* SPDX-License-Identifier: MIT */
/*
 * A command inherits without our help the descriptors that are not close-on-exec,
 * limits, the umask, and the signals that the program does not touch.
 *
 * A pipe that exec closes shows whether the exec worked.
 */
#include "reactor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const int handled[SPAWN_SIGNALS] = {SIGCHLD, SIGINT, SIGPIPE, SIGTERM};

void keep_signals(start_signals *start)
{
    for (size_t i = 0; i < SPAWN_SIGNALS; i++)
        sigaction(handled[i], NULL, &start->actions[i]);
    sigprocmask(SIG_SETMASK, NULL, &start->blocked);
}

/* Calls only what may be called after a fork. */
static _Noreturn void run(const start_signals *start, char **command, int out, int err,
                          int told)
{
    setsid();
    for (size_t i = 0; i < SPAWN_SIGNALS; i++)
        sigaction(handled[i], &start->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &start->blocked, NULL);
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
        execvp(command[0], command);
    int error = errno;
    (void)!write(told, &error, sizeof error);
    _exit(EXIT_FAILURE);
}

/* Waits for the exec, or for the error that came instead.  Returns 0 or that error. */
static int hear(int fd)
{
    int error = 0;
    ssize_t size;
    while ((size = read(fd, &error, sizeof error)) < 0 && errno == EINTR)
        continue;
    return size == sizeof error ? error : 0;
}

/* Signals are blocked, because none of this program's handlers may run in the child. */
static pid_t fork_blocked(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

pid_t spawn(const start_signals *start, char **command, int out, int err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork_blocked();
    if (pid == 0)
        run(start, command, out, err, ends[1]);
    int error = pid < 0 ? errno : 0;
    close(ends[1]);
    if (pid > 0)
        error = hear(ends[0]);
    close(ends[0]);
    if (pid > 0 && error != 0)
        waitpid(pid, NULL, 0);
    return error != 0 ? -error : pid;
}
