/* SPDX-License-Identifier: MIT */
#include "base/say.h"

#include "base/os.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int brought_by_writing[] = {SIGPIPE, SIGXFSZ};

/* Block those that are not pending yet. */
static void block(sigset_t *brought, sigset_t *mask)
{
    sigset_t pending;

    sigemptyset(brought);
    sigpending(&pending);
    for (int i = 0; i < 2; i++)
        if (!sigismember(&pending, brought_by_writing[i]))
            sigaddset(brought, brought_by_writing[i]);
    pthread_sigmask(SIG_BLOCK, brought, mask);
}

/*
 * The signal that a failed write raises is taken before anyone sees it, and no other
 * signal is.
 */
ssize_t sel__write_quietly(int fd, const void *bytes, size_t length, off_t offset)
{
    sigset_t brought, mask;
    ssize_t written;
    int cancelling, error;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    block(&brought, &mask);
    written = offset < 0 ? write(fd, bytes, length) : pwrite(fd, bytes, length, offset);
    error = errno;
    if (written < 0)
        sigtimedwait(&brought, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    pthread_setcancelstate(cancelling, NULL);
    errno = error;
    return written;
}

/* If stderr can't be written to, the line is lost and the program lives on. */
void sel__say(const char *format, ...)
{
    char line[512] = "selkie: ";
    size_t length = strlen(line);
    va_list args;

    va_start(args, format);
    vsnprintf(line + length, sizeof line - length - 1, format, args);
    va_end(args);
    length = strlen(line);
    line[length++] = '\n';
    sel__write_quietly(STDERR_FILENO, line, length, -1);
}
