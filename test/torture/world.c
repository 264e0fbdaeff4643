/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- what it should hold --- */

sel_key *find_key(world *w, int fd)
{
    for (int i = 0; i < w->count; i++)
        if (w->keys[i].fd == fd)
            return &w->keys[i];
    return NULL;
}

static void forget(world *w, int fd)
{
    sel_key *key = find_key(w, fd);

    CHECK(key != NULL);
    *key = w->keys[--w->count];
}

bool is_same_key(const sel_key *a, const sel_key *b)
{
    return a->fd == b->fd && a->events == b->events && a->callback == b->callback &&
           a->data == b->data;
}

void verify_map(world *w)
{
    static sel_key keys[MOST_KEYS];
    bool armed = faults_arm(false);
    int count = sel_get_map(w->sel, keys, MOST_KEYS);

    if (count != w->count)
        fail_run("%d keys are registered, %d should be", count, w->count);
    for (int i = 0; i < count; i++) {
        const sel_key *key = find_key(w, keys[i].fd);

        CHECK(key != NULL && is_same_key(key, &keys[i]));
        CHECK(i == 0 || keys[i - 1].fd < keys[i].fd);
    }
    faults_arm(armed);
}

/* --- what a failure must not disturb --- */

static const double LITTLE = 0.02; /* what must be there is there at once */

static bool has_beacon(const sel_ready *ready, int count, int fd)
{
    for (int i = 0; i < count; i++)
        if (ready[i].key.fd == fd)
            return ready[i].mask == READ;
    return false;
}

/* The beacon is registered all the time: what comes to it is told. */
static void verify_beacon(world *w)
{
    const sel_ready *ready;
    int count;

    put_byte(w->beacon[1]);
    count = sel_select(w->sel, LITTLE, &ready);
    if (!has_beacon(ready, count, w->beacon[0]) && faults_lied()) {
        CHECK(sel_unregister(w->sel, w->beacon[0]) == 0);
        CHECK(sel_register(w->sel, w->beacon[0], READ, NULL, NULL) == 0);
        count = sel_select(w->sel, LITTLE, &ready);
    }
    if (!has_beacon(ready, count, w->beacon[0]))
        fail_run("after a failure a key that should be ready is silent (%d)", count);
    take_byte(w->beacon[0]);
}

/* Not armed, so that nothing fails here. */
static void verify(world *w)
{
    if (w->sel == NULL)
        return;
    if (w->orphaned) {
        CHECK(sel_get_map(w->sel, NULL, 0) == -ECHILD);
        return;
    }
    verify_map(w);
    if (!w->pending && !w->attached && find_key(w, w->beacon[0]) != NULL &&
        w->beacon[1] != 0)
        verify_beacon(w);
}

/* --- attempts --- */

/* Errors that a header documents beside the one that was given. */
static bool is_documented(const fault_plan *plan, int error)
{
    static const struct {
        fault_call call;
        int given, said;
    } others[] = {
        {EPOLL_CTL_TO_ADD, EEXIST, ENOENT}, /* which the kernel never says of both */
        {UV_LOOP_FORK, EMFILE, ENOMEM},
        {UV_LOOP_FORK, ENFILE, ENOMEM},
    };

    if (error == -plan->error)
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i].call == plan->call && others[i].given == plan->error &&
            others[i].said == -error)
            return true;
    return false;
}

void begin_attempt(attempt *a)
{
    a->struck = fault_run->struck;
    a->was_armed = faults_arm(true);
}

bool end_attempt(attempt *a, int result, int expected)
{
    const fault_plan *plan = &fault_run->plan;

    faults_arm(a->was_armed);
    if (result == expected)
        return false;
    if (result >= 0)
        fail_run("%s returned %d, not %d", a->what, result, expected);
    if (fault_run->struck == a->struck)
        fail_run("%s failed though nothing was made to fail: %s", a->what, strerror(-result));
    if (!is_documented(plan, result))
        fail_run("%s said: %s", a->what, strerror(-result));
    verify(a->w);
    if (++a->failures >= 2 && plan->times == FOR_EVER)
        faults_pass();
    if (a->failures > 4)
        fail_run("%s goes on failing: %s", a->what, strerror(-result));
    return true;
}

/* --- opening and closing --- */

void open_world(world *w, bool is_attempt)
{
    make_pipe(w, w->beacon);
    if (is_attempt)
        EXPECT(w, 0, sel_open(w->backend, &w->sel));
    else
        CHECK(sel_open(w->backend, &w->sel) == 0);
    CHECK(sel_register(w->sel, w->beacon[0], READ, NULL, NULL) == 0);
    w->keys[w->count++] = (sel_key){.fd = w->beacon[0], .events = READ};
}

void close_world(world *w)
{
    EXPECT(w, 0, sel_close(w->sel));
    w->sel = NULL;
    while (w->fds_length > 0) {
        int fd = w->fds[--w->fds_length];

        faults_known[fd] = false;
        if (close(fd) < 0)
            fail_run("a descriptor of the program's was closed");
    }
}

int keep(world *w, int fd)
{
    CHECK(fd >= 0 && fd < MOST_DESCRIPTORS);
    w->fds[w->fds_length++] = fd;
    faults_known[fd] = true;
    return fd;
}

void make_pipe(world *w, int ends[2])
{
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    keep(w, ends[0]);
    keep(w, ends[1]);
}

void make_pair(world *w, int ends[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    keep(w, ends[0]);
    keep(w, ends[1]);
}

int make_eventfd(world *w, unsigned int count)
{
    return keep(w, eventfd(count, EFD_CLOEXEC));
}

int move_up(world *w, int fd, int number)
{
    int moved = keep(w, fcntl(fd, F_DUPFD_CLOEXEC, number));

    shut(w, fd);
    return moved;
}

void shut(world *w, int fd)
{
    int i = 0;

    while (i < w->fds_length && w->fds[i] != fd)
        i++;
    CHECK(i < w->fds_length);
    w->fds[i] = w->fds[--w->fds_length];
    faults_known[fd] = false;
    CHECK(close(fd) == 0);
}

void put_byte(int fd)
{
    CHECK(write(fd, "x", 1) == 1);
}

void take_byte(int fd)
{
    char byte;

    CHECK(read(fd, &byte, 1) == 1);
}

void put_count(int fd)
{
    CHECK(eventfd_write(fd, 1) == 0);
}

void fill(int fd)
{
    static const char zeros[65536];

    while (send(fd, zeros, sizeof zeros, MSG_DONTWAIT) > 0)
        continue;
    while (send(fd, zeros, 1, MSG_DONTWAIT) > 0)
        continue;
    CHECK(errno == EAGAIN);
}

/* --- keys --- */

void enroll(world *w, int fd, int events, call_record *record)
{
    sel_callback *callback = record != NULL ? count_call : NULL;

    EXPECT(w, 0, sel_register(w->sel, fd, events, callback, record));
    w->keys[w->count++] = (sel_key){fd, events, callback, record};
    verify_map(w);
}

/* A descriptor that was called closed has lost its key, and gets it again. */
static bool was_removed(world *w, int error)
{
    return error == -EBADF && faults_lied() && w->sel != NULL;
}

void change(world *w, int fd, int events)
{
    sel_key *key = find_key(w, fd);
    sel_callback *callback = key->callback;
    void *data = key->data;
    attempt a = {.w = w, .what = "sel_modify"};
    int error;

    do {
        begin_attempt(&a);
        error = sel_modify(w->sel, fd, events, callback, data);
        if (was_removed(w, error)) {
            faults_arm(a.was_armed);
            forget(w, fd);
            verify_map(w);
            enroll(w, fd, events != 0 ? events : SEL_EVENT_READ, data);
            if (events == 0) /* which only sel_modify() can say */
                change(w, fd, 0);
            return;
        }
    } while (end_attempt(&a, error, 0));
    key->events = events;
    verify_map(w);
}

void drop(world *w, int fd)
{
    EXPECT(w, 0, sel_unregister(w->sel, fd));
    forget(w, fd);
    verify_map(w);
}
