/* SPDX-License-Identifier: MIT */
/*
 * Waiting: deadlines, wake-ups, hang-ups, ghosts, closed and replaced
 * descriptors, other loops around the selector, and being watched.
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void deadlines(world *w)
{
    static const double seconds[] = {0, 0.0003, 0.003};

    for (int i = 0; i < 3; i++)
        await_nothing(w, seconds[i]);
    put_byte(w->beacon[1]);
    await(w, w->beacon[0], READ);
    if (!faults_lie()) {
        EXPECT(w, 1, sel_select(w->sel, SEL_FOREVER, NULL));
        EXPECT(w, 1, sel_select(w->sel, 3e6, NULL)); /* more milliseconds than an int has */
    }
    take_byte(w->beacon[0]);
    drop(w, w->beacon[0]);
    await_nothing(w, 0.001);
    enroll(w, w->beacon[0], READ, NULL);
}

/* A wake-up ends one wait, whatever fails in it, and it is never lost. */
static void wake_up(world *w)
{
    int pair[2];

    make_pair(w, pair);
    for (int i = 0; i < 3; i++) {
        EXPECT(w, 0, sel_wakeup(w->sel));
        EXPECT(w, 0, sel_wakeup(w->sel));
        await_wakeup(w);
        enroll(w, pair[i % 2], READ, NULL);
        drop(w, pair[i % 2]);
    }
    await_nothing(w, 0.001);
}

static void *wake(void *data)
{
    sel_wakeup(data);
    return NULL;
}

static void wake_up_from_a_thread(world *w)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, wake, w->sel) == 0);
    await_wakeup(w);
    pthread_join(thread, NULL);
    await_nothing(w, 0.001);
}

static void hang_ups(world *w)
{
    int first[2], second[2], pair[2];

    make_pipe(w, first);
    make_pipe(w, second);
    make_pair(w, pair);
    enroll(w, first[0], READ, NULL);
    enroll(w, second[1], WRITE_, NULL);
    enroll(w, pair[0], READ | WRITE_, NULL);
    await(w, second[1], WRITE_);
    shut(w, first[1]);
    shut(w, second[0]);
    for (int i = 0; i < 2; i++) {
        await(w, first[0], READ);
        await(w, second[1], WRITE_);
        await(w, pair[0], WRITE_);
    }
    shutdown(pair[1], SHUT_WR);
    await(w, pair[0], READ | WRITE_);
    shut(w, pair[1]);
    await(w, pair[0], READ | WRITE_);
    change(w, pair[0], 0);
    change(w, first[0], 0);
    change(w, second[1], 0);
    await_nothing(w, 0.001);
    change(w, second[1], WRITE_);
    await(w, second[1], WRITE_);
}

/* Readable, full, and watched for WRITE: what select() can't wait for by itself. */
static void unwanted_readability(world *w)
{
    char drain[4096];
    int pair[2];

    make_pair(w, pair);
    fill(pair[0]);
    put_byte(pair[1]);
    enroll(w, pair[0], WRITE_, NULL);
    await_nothing(w, 0.001);
    while (read(pair[1], drain, sizeof drain) > 0)
        continue;
    await(w, pair[0], WRITE_);
}

/*
 * A duplicate keeps the file open whose number was closed: no call takes it out.
 * The number is one that the library does not get meanwhile.
 */
static void make_ghost(world *w, int *ret_number, int *ret_duplicate)
{
    int pair[2], number;

    make_pair(w, pair);
    *ret_duplicate = keep(w, fcntl(pair[0], F_DUPFD_CLOEXEC, 0));
    *ret_number = number = move_up(w, pair[0], 300);
    enroll(w, number, READ, NULL);
    put_byte(pair[1]);
    await(w, number, READ);
    shut(w, number);
    drop(w, number);
}

static void ghost(world *w)
{
    int number, duplicate;

    make_ghost(w, &number, &duplicate);
    await_nothing(w, 0.002);
    CHECK(dup3(duplicate, number, O_CLOEXEC) == number);
    keep(w, number);
    enroll(w, number, READ, NULL);
    await(w, number, READ);
}

/* A wake-up that comes with a ghost is not lost when laying the ghost fails. */
static void ghost_and_wake_up(world *w)
{
    int number, duplicate;

    make_ghost(w, &number, &duplicate);
    EXPECT(w, 0, sel_wakeup(w->sel));
    await_wakeup(w);
    await_nothing(w, 0.002);
}

static bool is_nestable(world *w)
{
    return w->backend != SEL_BACKEND_POLL && w->backend != SEL_BACKEND_SELECT;
}

static void closed_while_registered(world *w)
{
    int pair[2], other[2];

    make_pair(w, pair);
    make_pair(w, other);
    enroll(w, pair[0], READ, NULL);
    enroll(w, other[0], WRITE_, NULL);
    shut(w, pair[0]);
    await(w, other[0], WRITE_);
    change(w, other[0], READ);
    await_nothing(w, 0.001);
    drop(w, pair[0]);
}

/* The number belongs to another file by now, which nobody has asked for. */
static void replaced(world *w)
{
    int pair[2], fd;

    make_pair(w, pair);
    fd = make_eventfd(w, 0);
    enroll(w, fd, READ, NULL);
    await_nothing(w, 0);
    put_byte(pair[1]);
    CHECK(dup3(pair[0], fd, O_CLOEXEC) == fd);
    if (!faults_blind())
        await_nothing(w, 0.001);
    drop(w, fd);
    enroll(w, fd, READ, NULL);
    await(w, fd, READ);
}

/* Fewer are allowed than there are: poll(2) refuses, and select(2) is asked. */
static void no_descriptors_allowed(world *w)
{
    struct rlimit before, none;
    int pair[2];

    make_pair(w, pair);
    enroll(w, pair[0], READ, NULL);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = (struct rlimit){.rlim_max = before.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    await_nothing(w, 0.003);
    put_byte(pair[1]);
    await(w, pair[0], READ);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

static bool is_readable(int fd, int ms)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, ms) == 1;
}

static void inside_another_loop(world *w)
{
    int fd, again;

    if (!is_nestable(w)) {
        EXPECT(w, -ENOTSUP, sel_fileno(w->sel));
        return;
    }
    ATTEMPT(w, fd, sel_fileno(w->sel));
    EXPECT(w, 0, sel_select(w->sel, 0, NULL));
    CHECK(!is_readable(fd, 0));
    put_byte(w->beacon[1]);
    CHECK(faults_lied() || is_readable(fd, 1000));
    await(w, w->beacon[0], READ);
    take_byte(w->beacon[0]);
    ATTEMPT(w, again, sel_fileno(w->sel));
    CHECK(fd == again);
}

/* The set that the other loop watches has to be led to the new one. */
static void ghost_inside_another_loop(world *w)
{
    int number, duplicate, fd;

    if (!is_nestable(w))
        return;
    ATTEMPT(w, fd, sel_fileno(w->sel));
    make_ghost(w, &number, &duplicate);
    await_nothing(w, 0.002);
    CHECK(!is_readable(fd, 0));
    put_byte(w->beacon[1]);
    CHECK(faults_lied() || is_readable(fd, 1000));
    await(w, w->beacon[0], READ);
    take_byte(w->beacon[0]);
}

/* More than libuv takes at a time: on uv the set to be made anew has two numbers. */
static void ghost_among_many(world *w)
{
    static int fds[1050];
    int count = w->backend == SEL_BACKEND_SELECT ? 900 : 1050;
    int number, duplicate;

    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(w, 0);
        CHECK(sel_register(w->sel, fds[i], READ, NULL, NULL) == 0);
        w->keys[w->count++] = (sel_key){.fd = fds[i], .events = READ};
    }
    CHECK(sel_select(w->sel, 0, NULL) == 0);
    make_ghost(w, &number, &duplicate);
    await_nothing(w, 0.002);
    put_count(fds[count - 1]);
    await(w, fds[count - 1], READ);
}

/* --- being watched --- */

/* Open a selector beside the world's, whose lines go to where nobody reads them. */
static int open_watched(world *w, world *watched, const char *variable, const char *value)
{
    int said[2], kept = dup(STDERR_FILENO);

    make_pipe(w, said);
    CHECK(dup2(said[1], STDERR_FILENO) == STDERR_FILENO);
    setenv(variable, value, 1);
    EXPECT(w, 0, sel_open(w->backend, &watched->sel));
    unsetenv(variable);
    return kept;
}

static void close_watched(world *watched, int kept)
{
    EXPECT(watched, 0, sel_close(watched->sel));
    CHECK(dup2(kept, STDERR_FILENO) == STDERR_FILENO);
    close(kept);
}

static void debug_mode(world *w)
{
    static world watched;
    call_record record = {.name = "watched"};
    int pair[2], kept;

    watched = (world){.backend = w->backend};
    setenv("SELKIE_SLOW_MS", "0", 1);
    kept = open_watched(w, &watched, "SELKIE_DEBUG", "1");
    unsetenv("SELKIE_SLOW_MS");
    make_pair(w, pair);
    enroll(&watched, pair[0], READ, &record);
    put_byte(pair[1]);
    for (int i = 0; i < 2; i++) {
        await(&watched, pair[0], READ);
        dispatch(&watched);
    }
    report(&record);
    shut(w, pair[0]);
    await_nothing(&watched, 0.001);
    close_watched(&watched, kept);
}

/*
 * A trace that can't be written is none; the rest goes on. Its buffer is filled. What
 * another writes into it ends it for the process, so all this is the first run's.
 */
static void traced(world *w)
{
    static world watched;
    char path[] = "/tmp/torture-XXXXXX";
    int file, kept;

    watched = (world){.backend = w->backend};
    file = keep(w, mkstemp(path));
    kept = open_watched(w, &watched, "SELKIE_TRACE", path);
    enroll(&watched, w->beacon[0], READ, NULL);
    for (int i = 0; i < 600; i++)
        EXPECT(&watched, 0, sel_select(watched.sel, 0, NULL));
    close_watched(&watched, kept);
    CHECK(dprintf(file, "another's") > 0);
    watched = (world){.backend = w->backend};
    kept = open_watched(w, &watched, "SELKIE_TRACE", path);
    close_watched(&watched, kept);
    unlink(path);
}

static void compat(world *w)
{
    int pair[2], ready[2];
    size_t count = 0;

    make_pair(w, pair);
    EXPECT(w, 0, sel_compat_select(pair, 2, ready, &count, NULL, 0, NULL, NULL, NULL, 0, NULL,
                                   NULL, 0.002));
    put_byte(pair[1]);
    EXPECT(w, 3, sel_compat_select(pair, 2, ready, &count, pair, 2, NULL, NULL, NULL, 0, NULL,
                                   NULL, SEL_FOREVER));
    CHECK(count == 1 && ready[0] == pair[0]);
}

const scenario wait_scenarios[] = {
    {"deadlines", deadlines},
    {"wake_up", wake_up},
    {"wake_up_from_a_thread", wake_up_from_a_thread},
    {"hang_ups", hang_ups},
    {"unwanted_readability", unwanted_readability},
    {"ghost", ghost},
    {"ghost_and_wake_up", ghost_and_wake_up},
    {"ghost_inside_another_loop", ghost_inside_another_loop},
    {"ghost_among_many", ghost_among_many},
    {"closed_while_registered", closed_while_registered},
    {"replaced", replaced},
    {"no_descriptors_allowed", no_descriptors_allowed},
    {"inside_another_loop", inside_another_loop},
    {"debug_mode", debug_mode},
    {"traced", traced},
    {"compat", compat},
    {NULL, NULL},
};
