/* SPDX-License-Identifier: MIT */
/* Statistics, and the debug mode, which reports each mistake in one line on stderr. */
#include "debug/observer.h"

#include "base/clock.h"
#include "base/grow.h"
#include "base/os.h"
#include "base/say.h"
#include "debug/trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NAME_SIZE = 200, UNREAD_PASSES = 100 };

static const double DEFAULT_SLOW_MS = 100;

/* A descriptor that was readable in the last pass. */
struct unread {
    int bytes;  /* readable when the wait ended */
    int passes; /* in a row that read none of them */
};

struct sel__observer {
    bool debug;
    bool tracing;
    int64_t slow; /* nanoseconds */
    int64_t wait_began;
    int64_t dispatch_began;
    int64_t call_began;
    int64_t longest;
    int64_t waiting;
    int64_t calling;
    _Atomic pid_t inside; /* the thread inside a wait or a dispatch, or 0 */
    const char *doing;
    struct unread *unread; /* by descriptor */
    int unread_length;
};

/* The function's name if the dynamic linker knows it, otherwise where it is. */
static const char *name_of(sel__function *function, char name[NAME_SIZE])
{
    union {
        sel__function *function;
        void *address;
    } it = {.function = function};
    Dl_info info;

    if (dladdr(it.address, &info) == 0)
        snprintf(name, NAME_SIZE, "%p", it.address);
    else if (info.dli_sname != NULL)
        snprintf(name, NAME_SIZE, "%s", info.dli_sname);
    else
        snprintf(name, NAME_SIZE, "%s+0x%tx", strrchr(info.dli_fname, '/') != NULL ?
                 strrchr(info.dli_fname, '/') + 1 : info.dli_fname,
                 (char *)it.address - (char *)info.dli_fbase);
    return name;
}

int sel__observer_open(sel__observer **observer)
{
    if (*observer == NULL)
        *observer = calloc(1, sizeof **observer);
    return *observer != NULL ? 0 : -ENOMEM;
}

static int64_t slow_from_environment(void)
{
    const char *text = secure_getenv("SELKIE_SLOW_MS");
    char *end;
    double ms = text != NULL ? strtod(text, &end) : DEFAULT_SLOW_MS;

    if (text != NULL && (end == text || *end != '\0' || !(ms >= 0)))
        ms = DEFAULT_SLOW_MS;
    return sel__to_ns(ms / 1e3);
}

int sel__observer_from_environment(sel__observer **observer)
{
    const char *debug = secure_getenv("SELKIE_DEBUG");
    const char *path = secure_getenv("SELKIE_TRACE");
    bool debugging = debug != NULL && debug[0] != '\0' && strcmp(debug, "0") != 0;
    bool tracing = path != NULL && path[0] != '\0';
    int error;

    if (!debugging && !tracing)
        return 0;
    error = sel__observer_open(observer);
    if (error < 0)
        return error;
    (*observer)->debug = debugging;
    (*observer)->slow = debugging ? slow_from_environment() : INT64_MAX;
    (*observer)->tracing = tracing && sel__trace_open(path);
    return 0;
}

bool sel__observer_debugs(const sel__observer *observer)
{
    return observer->debug;
}

void sel__observer_times(const sel__observer *observer, sel_stats *ret_stats)
{
    ret_stats->longest_callback = sel__to_seconds(observer->longest);
    ret_stats->time_waiting = sel__to_seconds(observer->waiting);
    ret_stats->time_in_callbacks = sel__to_seconds(observer->calling);
}

void sel__observer_close(sel__observer *observer)
{
    if (observer->tracing)
        sel__trace_close();
    free(observer->unread);
    free(observer);
}

/* --- one thread at a time --- */

void sel__observe_thread(sel__observer *observer, const char *call)
{
    pid_t inside = atomic_load(&observer->inside);

    if (observer->debug && inside != 0 && inside != gettid())
        sel__say("thread %d calls %s while thread %d is in %s; only sel_wakeup and "
                 "sel_call_soon_threadsafe may be called beside it",
                 (int)gettid(), call, (int)inside, observer->doing);
}

static void enter(sel__observer *observer, const char *doing)
{
    sel__observe_thread(observer, doing);
    observer->doing = doing;
    atomic_store(&observer->inside, gettid());
}

void sel__observe_fork(sel__observer *observer)
{
    atomic_store(&observer->inside, 0);
}

/* --- descriptors that nobody reads --- */

static int bytes_to_read(int fd)
{
    int bytes = -1;

    return ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : -1;
}

static struct unread *unread_of(sel__observer *observer, int fd)
{
    int error = sel__grow(&observer->unread, &observer->unread_length, fd + 1,
                          sizeof *observer->unread);

    return error == 0 ? &observer->unread[fd] : NULL;
}

/* Before a wait: has what was readable after the last one been read? */
static void look_for_unread(sel__observer *observer, const sel_ready *pairs, uint32_t count)
{
    for (const sel_ready *pair = pairs; pair < pairs + count; pair++) {
        struct unread *unread;

        if (!(pair->mask & SEL_EVENT_READ))
            continue;
        unread = unread_of(observer, pair->key.fd);
        if (unread == NULL)
            return;
        if (unread->bytes < 0 || bytes_to_read(pair->key.fd) < unread->bytes)
            unread->passes = 0;
        else if (++unread->passes == UNREAD_PASSES)
            sel__say("descriptor %d was readable in %d passes in a row and nobody "
                     "reads it", pair->key.fd, UNREAD_PASSES);
    }
}

static void note_unread(sel__observer *observer, const sel_ready *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int fd = pairs[i].key.fd;
        struct unread *unread = unread_of(observer, fd);

        if (unread != NULL)
            unread->bytes = bytes_to_read(fd);
    }
}

int sel__observe_unread(sel__observer *observer, int fd)
{
    return observer->debug ? bytes_to_read(fd) : -1;
}

void sel__observe_read(sel__observer *observer, int fd, int unread)
{
    if (unread >= 0 && fd < observer->unread_length && bytes_to_read(fd) < unread)
        observer->unread[fd].bytes = -1;
}

void sel__observe_removed(sel__observer *observer, int fd)
{
    if (fd < observer->unread_length)
        observer->unread[fd] = (struct unread){.bytes = -1};
}

/* --- what is called from outside --- */

void sel__observe_wait(sel__observer *observer, const sel_ready *pairs, uint32_t count)
{
    enter(observer, "sel_select");
    if (observer->debug)
        look_for_unread(observer, pairs, count);
    observer->wait_began = sel__now();
}

void sel__observe_waited(sel__observer *observer, const sel_ready *pairs, uint32_t count)
{
    int64_t took = sel__now() - observer->wait_began;

    observer->waiting += took;
    if (observer->tracing)
        sel__trace_event("selkie", "sel_select", -1, observer->wait_began, took);
    if (observer->debug)
        note_unread(observer, pairs, count);
    atomic_store(&observer->inside, 0);
}

void sel__observe_dispatch(sel__observer *observer)
{
    enter(observer, "sel_dispatch");
    observer->dispatch_began = sel__now();
}

void sel__observe_dispatched(sel__observer *observer)
{
    if (observer->tracing)
        sel__trace_event("selkie", "sel_dispatch", -1, observer->dispatch_began,
                         sel__now() - observer->dispatch_began);
    atomic_store(&observer->inside, 0);
}

void sel__observe_begin(sel__observer *observer)
{
    observer->call_began = sel__now();
}

void sel__observe_end(sel__observer *observer, const char *kind, int fd, sel__function *function)
{
    int64_t took = sel__now() - observer->call_began;
    char name[NAME_SIZE];

    observer->calling += took;
    if (took > observer->longest)
        observer->longest = took;
    if (observer->tracing)
        sel__trace_event(kind, name_of(function, name), fd, observer->call_began, took);
    if (!observer->debug || took < observer->slow)
        return;
    if (fd >= 0)
        sel__say("%s %s of descriptor %d took %.1f ms", kind, name_of(function, name), fd,
                 (double)took / 1e6);
    else
        sel__say("%s %s took %.1f ms", kind, name_of(function, name), (double)took / 1e6);
}

void sel__observe_gone(sel__observer *observer, int fd)
{
    if (observer->debug)
        sel__say("descriptor %d was closed or replaced while it was registered; "
                 "unregister it before closing it", fd);
}
