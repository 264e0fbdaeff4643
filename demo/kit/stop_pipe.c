/* SPDX-License-Identifier: MIT */
/* Where there is no signalfd(): a pipe that a signal handler writes to. */
#include "kit/stop.h"
#include "kit/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int handlers_end = -1; /* a handler gets nothing else from its program */

static void write_byte(int signum)
{
    int error = errno;
    char byte = (char)signum;

    if (write(handlers_end, &byte, 1) < 0) /* full: the byte that is there will do */
        errno = error;
}

int open_stop(void)
{
    struct sigaction action = {.sa_handler = write_byte, .sa_flags = SA_RESTART};
    int ends[2];
    if (pipe(ends) < 0)
        fail(EXIT_FAILURE, "cannot watch signals: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    handlers_end = ends[1];
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return ends[0];
}

void take_stop(int stop)
{
    char byte;
    (void)!read(stop, &byte, 1);
}
