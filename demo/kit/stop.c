/* SPDX-License-Identifier: MIT */
/* signalfd() exists only on Linux; a pipe that a signal handler writes to works everywhere. */
#include "kit/stop.h"
#include "kit/fail.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

int open_stop(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int stop = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (stop < 0)
        fail(EXIT_FAILURE, "cannot watch signals: %s", strerror(errno));
    return stop;
}

void take_stop(int stop)
{
    struct signalfd_siginfo taken;
    (void)!read(stop, &taken, sizeof taken);
}
