/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Not a FILE: its buffer would be written twice, by a forked child's exit too.
 * The array's end is written after every buffer and overwritten by the next.
 */
enum { BUFFER_SIZE = 1 << 16, NAME_SIZE = 256, LONGEST_EVENT = 512 };

static struct {
    pthread_mutex_t lock;
    int fd; /* open while there are users */
    int users;
    bool begun;
    unsigned int forks; /* the process it belongs to */
    off_t end;          /* where the array's closing bracket stands */
    size_t length;
    char buffer[BUFFER_SIZE + LONGEST_EVENT];
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A disk that is full loses the rest of the trace, never the program. */
static void write_at(const char *bytes, size_t length, off_t offset)
{
    while (length > 0) {
        ssize_t written = pwrite(trace.fd, bytes, length, offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        bytes += written;
        length -= (size_t)written;
        offset += written;
    }
}

static void flush(void)
{
    write_at("\n]\n", 3, trace.end + (off_t)trace.length);
    write_at(trace.buffer, trace.length, trace.end);
    trace.end += (off_t)trace.length;
    trace.length = 0;
}

/* A forked child does not write into its parent's trace, and has none. */
static bool is_parents(void)
{
    return trace.begun && trace.forks != sel__forks;
}

/* A file's name, which stands for a function without one, may hold any bytes. */
static const char *escape(const char *name, char escaped[NAME_SIZE])
{
    char *end = escaped;

    for (; *name != '\0' && end < escaped + NAME_SIZE - 2; name++) {
        if (*name == '"' || *name == '\\')
            *end++ = '\\';
        *end = *name;
        if ((unsigned char)*end < ' ')
            *end = '?';
        end++;
    }
    *end = '\0';
    return escaped;
}

/* The first selector begins the array, one that comes after the last goes on with it. */
static int open_file(const char *path)
{
    /* O_NONBLOCK: a FIFO that nobody reads is an error, and no wait for a reader. */
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (trace.begun ? 0 : O_TRUNC);

    trace.fd = open(path, flags, 0666);
    if (trace.fd < 0)
        return -errno;
    if (trace.begun)
        return 0;
    trace.begun = true;
    trace.forks = sel__forks;
    trace.length = (size_t)snprintf(
        trace.buffer, sizeof trace.buffer,
        "[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,\"tid\":%d,"
        "\"args\":{\"name\":\"selkie\"}}", (int)getpid(), (int)gettid());
    flush();
    return 0;
}

int sel__trace_open(const char *path)
{
    int error = 0;

    if (is_parents())
        return 0;
    pthread_mutex_lock(&trace.lock);
    if (trace.users == 0)
        error = open_file(path);
    if (error == 0)
        trace.users++;
    pthread_mutex_unlock(&trace.lock);
    return error;
}

void sel__trace_close(void)
{
    if (is_parents())
        return;
    pthread_mutex_lock(&trace.lock);
    if (--trace.users == 0) {
        flush();
        close(trace.fd);
    }
    pthread_mutex_unlock(&trace.lock);
}

void sel__trace_event(const char *category, const char *name, int fd, int64_t start,
                      int64_t duration)
{
    char args[32] = "", escaped[NAME_SIZE];

    if (is_parents())
        return;
    if (fd >= 0)
        snprintf(args, sizeof args, ",\"args\":{\"fd\":%d}", fd);
    pthread_mutex_lock(&trace.lock);
    trace.length += (size_t)snprintf(
        trace.buffer + trace.length, LONGEST_EVENT,
        ",\n{\"ph\":\"X\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,"
        "\"ts\":%lld.%03d,\"dur\":%lld.%03d%s}",
        category, escape(name, escaped), (int)getpid(), (int)gettid(),
        (long long)(start / 1000), (int)(start % 1000), (long long)(duration / 1000),
        (int)(duration % 1000), args);
    if (trace.length >= BUFFER_SIZE)
        flush();
    pthread_mutex_unlock(&trace.lock);
}
