/* SPDX-License-Identifier: MIT */
#include "debug/trace.h"

#include "base/fork.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/say.h"

#include <selkie/selectors.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Not a FILE: a forked child's exit would write its buffer a second time. The array's
 * end is written after every buffer, and the next one overwrites it.
 */
enum { BUFFER_SIZE = 1 << 16, NAME_SIZE = 256, LONGEST_EVENT = 512 };

/*
 *            begin()          end_here(), somebody else wrote to it, a fork
 *     FRESH ────────► BEGUN ───────────────────────────────────────────────► ENDED
 */
typedef enum { FRESH, BEGUN, ENDED } phase;

static struct {
    pthread_mutex_t lock;
    int fd; /* open while there are users and it has not ENDED */
    int users;
    bool watching_forks;
    phase phase;
    unsigned int forks; /* the process that it belongs to */
    struct stat left;   /* the file, as it was when closed */
    off_t end;          /* where the array's closing bracket goes */
    size_t length;
    char buffer[BUFFER_SIZE + LONGEST_EVENT];
    char refused[NAME_SIZE]; /* the path in the last complaint */
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char brackets[] = "\n]\n";

/* --- the file --- */

static int write_at(const char *bytes, size_t length, off_t offset)
{
    while (length > 0) {
        ssize_t written = sel__write_quietly(trace.fd, bytes, length, offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        length -= (size_t)written;
        offset += written;
    }
    return 0;
}

static int flush(void)
{
    int error = write_at(brackets, strlen(brackets), trace.end + (off_t)trace.length);

    if (error == 0)
        error = write_at(trace.buffer, trace.length, trace.end);
    if (error < 0)
        return error;
    trace.end += (off_t)trace.length;
    trace.length = 0;
    return 0;
}

/* If the disk is full, the rest of the trace is lost, and what is there stays valid JSON. */
static void end_here(int error)
{
    if (ftruncate(trace.fd, trace.end) == 0)
        write_at(brackets, strlen(brackets), trace.end);
    close(trace.fd);
    trace.phase = ENDED;
    sel__say("the trace ends early: %s", sel_strerror(error));
}

/* Some errno values stand for reasons of our own. */
static const char *explain(int error)
{
    switch (error) {
    case -EWOULDBLOCK:
        return "another process writes its trace there";
    case -ESPIPE:
        return "not a regular file";
    case -ESTALE:
        return "something else has written there since";
    default:
        return sel_strerror(error);
    }
}

static int begin(void)
{
    int error = ftruncate(trace.fd, 0) < 0 ? -errno : 0;

    trace.end = 0;
    trace.length = (size_t)snprintf(
        trace.buffer, sizeof trace.buffer,
        "[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,\"tid\":%d,"
        "\"args\":{\"name\":\"selkie\"}}", (int)getpid(), (int)gettid());
    if (error == 0)
        error = flush();
    trace.phase = error == 0 ? BEGUN : FRESH;
    trace.forks = sel__forks();
    return error;
}

/* All zero if fstat() fails: it then looks like no file. */
static struct stat look(void)
{
    struct stat file = {0};

    fstat(trace.fd, &file);
    return file;
}

static bool is_as_left(const struct stat *file)
{
    return file->st_dev == trace.left.st_dev && file->st_ino == trace.left.st_ino &&
           file->st_size == trace.left.st_size &&
           memcmp(&file->st_mtim, &trace.left.st_mtim, sizeof file->st_mtim) == 0;
}

/*
 * The first selector begins the array; one that is opened after the last was closed
 * continues it.
 */
static int begin_or_go_on(void)
{
    struct stat file = look();

    if (!S_ISREG(file.st_mode))
        return -ESPIPE;
    if (flock(trace.fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    if (trace.phase == FRESH)
        return begin();
    if (is_as_left(&file))
        return 0;
    trace.phase = ENDED;
    return -ESTALE;
}

static int open_file(const char *path)
{
    /* O_NONBLOCK: a FIFO without a reader is an error, rather than a wait for one. */
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int error;

    trace.fd = open(path, flags, 0666);
    if (trace.fd < 0)
        return -errno;
    error = begin_or_go_on();
    if (error < 0)
        close(trace.fd);
    return error;
}

/*
 * The explicit unlock is for a process that is just being forked: it may keep the file
 * open, and so locked, a little longer.
 */
static void close_file(void)
{
    int error = flush();

    if (error < 0) {
        end_here(error);
        return;
    }
    trace.left = look();
    flock(trace.fd, LOCK_UN);
    close(trace.fd);
}

/* --- forks --- */

static void before_fork(void)
{
    pthread_mutex_lock(&trace.lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&trace.lock);
}

/* A forked child must not write to its parent's trace, and gets none of its own. */
static void in_child(void)
{
    if (trace.users > 0 && trace.phase != ENDED)
        close(trace.fd);
    if (trace.phase == BEGUN)
        trace.phase = ENDED;
    pthread_mutex_unlock(&trace.lock);
}

static int watch_forks(void)
{
    int error =
        trace.watching_forks ? 0 : pthread_atfork(before_fork, in_parent, in_child);

    trace.watching_forks = error == 0;
    return -error;
}

/* A child whose fork ran no pthread_atfork() handler has no trace either. */
static bool is_over(void)
{
    return trace.phase == ENDED || (trace.phase == BEGUN && trace.forks != sel__forks());
}

/* --- what is called from outside --- */

static bool join(const char *path)
{
    int error = watch_forks();

    if (error == 0 && trace.users == 0)
        error = open_file(path);
    if (error == 0) {
        trace.users++;
        return true;
    }
    if (strncmp(trace.refused, path, NAME_SIZE - 1) != 0)
        sel__say("no trace: %s: %s", path, explain(error));
    strncpy(trace.refused, path, NAME_SIZE - 1);
    return false;
}

bool sel__trace_open(const char *path)
{
    int cancelling = sel__lock(&trace.lock);
    bool joined = !is_over() && join(path);

    sel__unlock(&trace.lock, cancelling);
    return joined;
}

void sel__trace_close(void)
{
    int cancelling = sel__lock(&trace.lock);

    if (!is_over() && --trace.users == 0)
        close_file();
    sel__unlock(&trace.lock, cancelling);
}

/*
 * The length in bytes of the UTF-8 character at `text`, 0 if it is not one: RFC 3629,
 * section 4.
 */
static size_t character_length(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;

    if ((byte[0] >= 0x80 && byte[0] < 0xc2) || byte[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f) ||
        (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f))
        return 0;
    return length;
}

/* A function without a name goes by its file's, which may hold any bytes. */
static const char *escape(const char *name, char escaped[NAME_SIZE])
{
    char *end = escaped;

    while (*name != '\0' && end < escaped + NAME_SIZE - 4) {
        size_t length = character_length(name);

        if (*name == '"' || *name == '\\')
            *end++ = '\\';
        if (length == 0 || (unsigned char)*name < ' ') {
            *end++ = '?';
            name++;
            continue;
        }
        memcpy(end, name, length);
        end += length;
        name += length;
    }
    *end = '\0';
    return escaped;
}

static void add_event(const char *category, const char *name, int fd, int64_t start,
                      int64_t duration)
{
    char args[32] = "", escaped[NAME_SIZE];
    int error;

    if (fd >= 0)
        snprintf(args, sizeof args, ",\"args\":{\"fd\":%d}", fd);
    trace.length += (size_t)snprintf(
        trace.buffer + trace.length, LONGEST_EVENT,
        ",\n{\"ph\":\"X\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,"
        "\"ts\":%lld.%03d,\"dur\":%lld.%03d%s}",
        category, escape(name, escaped), (int)getpid(), (int)gettid(),
        (long long)(start / 1000), (int)(start % 1000), (long long)(duration / 1000),
        (int)(duration % 1000), args);
    if (trace.length < BUFFER_SIZE)
        return;
    error = flush();
    if (error < 0)
        end_here(error);
}

void sel__trace_event(const char *category, const char *name, int fd, int64_t start,
                      int64_t duration)
{
    int cancelling = sel__lock(&trace.lock);

    if (!is_over())
        add_event(category, name, fd, start, duration);
    sel__unlock(&trace.lock, cancelling);
}
