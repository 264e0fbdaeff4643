/* SPDX-License-Identifier: MIT */
/*
 * What the programs with several processes share.
 *
 * Everything here blocks: it is for children, which have nothing else to do, and for
 * answers that are already on their way.
 */
#include "kit/process.h"
#include "kit/blocking.h"
#include "kit/check.h"
#include "kit/fail.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t fork_child(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGCHLD, SIGUSR1};
    sigset_t all, before;
    sigfillset(&all);
    fflush(NULL); /* else the child would print it a second time */
    sigprocmask(SIG_SETMASK, &all, &before); /* no signal may arrive in between */
    pid_t pid = fork();
    if (pid == 0)
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            signal(signals[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        fail(EXIT_FAILURE, "cannot fork: %s", strerror(errno));
    return pid;
}

void wait_for_all(int count)
{
    while (count-- > 0)
        wait(NULL);
}

static void life_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)key;
    (void)mask;
    sel_stop(sel);
}

void end_with_parent(sel_selector *sel, int life)
{
    check(sel_register(sel, life, SEL_EVENT_READ, life_cb, NULL), "watch the parent");
}

bool receive_all(int fd, void *bytes, size_t size)
{
    for (size_t received = 0; received < size;) {
        ssize_t part = recv(fd, (char *)bytes + received, size - received, 0);
        if (part == 0 || (part < 0 && errno != EINTR))
            return false;
        received += part > 0 ? (size_t)part : 0;
    }
    return true;
}

bool send_line(int fd, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    return send_all(fd, line, strlen(line)) == 0;
}

/* Byte by byte: what follows the line is for the next call. */
bool receive_line(int fd, char *line, size_t size)
{
    for (size_t end = 0; end < size; end++) {
        if (!receive_all(fd, line + end, 1))
            return false;
        if (line[end] == '\n') {
            line[end] = '\0';
            return true;
        }
    }
    return false;
}
