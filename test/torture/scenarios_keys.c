/* SPDX-License-Identifier: MIT */
/*
 * Opening, registering, modifying: whatever takes memory or asks the kernel
 * before a wait.
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A second one beside it, so that its opening is looked at. */
static void opening(world *w)
{
    sel_selector *second = NULL;

    EXPECT(w, 0, sel_open(w->backend, &second));
    CHECK(second != NULL);
    note("%s\n", sel_backend_name(second));
    EXPECT(w, 0, sel_select(second, 0, NULL));
    EXPECT(w, 0, sel_close(second));
}

/* The first of a process has more to open. */
static void opening_first(world *w)
{
    open_world(w, true);
    await_nothing(w, 0);
}

static void opening_by_name(world *w)
{
    sel_selector *second = NULL;

    setenv("SELKIE_BACKEND", sel_backend_name(w->sel), 1);
    EXPECT(w, 0, sel_open(SEL_BACKEND_DEFAULT, &second));
    unsetenv("SELKIE_BACKEND");
    CHECK(strcmp(sel_backend_name(second), sel_backend_name(w->sel)) == 0);
    EXPECT(w, 0, sel_close(second));
}

static void registering(world *w)
{
    call_record reader = {.name = "reader"}, writer = {.name = "writer"};
    int pipe_ends[2], pair[2];

    make_pipe(w, pipe_ends);
    make_pair(w, pair);
    enroll(w, pipe_ends[0], READ, &reader);
    enroll(w, pair[0], READ | WRITE_, &writer);
    put_byte(pipe_ends[1]);
    await(w, pipe_ends[0], READ);
    await(w, pair[0], WRITE_);
    dispatch(w);
    report(&writer);
    put_byte(pair[1]);
    await(w, pair[0], READ | WRITE_);
    dispatch(w);
    report(&writer);
    drop(w, pair[0]);
    await(w, pipe_ends[0], READ);
    take_byte(pipe_ends[0]);
    drop(w, pipe_ends[0]);
    await_nothing(w, 0.001);
}

/* A new block of the table, a longer list of blocks, libuv's longer array. */
static void high_numbers(world *w)
{
    static const int numbers[] = {200, 500, 900};
    call_record record = {.name = "high"};
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = move_up(w, make_eventfd(w, 1), numbers[i]);
        enroll(w, fds[i], READ, &record);
    }
    await_all(w, 3, fds, READ);
    drop(w, fds[1]);
    enroll(w, fds[1], READ | EXCEPT, &record);
    await_all(w, 3, fds, READ);
    for (int i = 0; i < 3; i++)
        drop(w, fds[i]);
}

/* What select() can't hold is refused, and everyone else takes it. */
static void beyond_select(world *w)
{
    int fd = move_up(w, make_eventfd(w, 1), 1500);

    if (w->backend == SEL_BACKEND_SELECT) {
        EXPECT(w, -ERANGE, sel_register(w->sel, fd, READ, NULL, NULL));
        EXPECT(w, -ENOENT, sel_unregister(w->sel, fd));
        return;
    }
    enroll(w, fd, READ, NULL);
    await(w, fd, READ);
}

static void wider_batch(world *w)
{
    call_record record = {.name = "each"};
    int fds[60];

    for (int i = 0; i < 60; i++) {
        fds[i] = make_eventfd(w, 1);
        enroll(w, fds[i], READ, &record);
    }
    await_all(w, 60, fds, READ);
    dispatch(w);
    report(&record);
    for (int i = 0; i < 60; i += 2)
        drop(w, fds[i]);
    for (int i = 0; i < 60; i += 2)
        enroll(w, fds[i], READ | WRITE_, &record);
    for (int i = 1; i < 60; i += 2)
        change(w, fds[i], WRITE_);
    await(w, fds[0], READ | WRITE_);
    await(w, fds[1], WRITE_);
}

/* More than one of libuv's loops. */
static void many(world *w)
{
    static int fds[1050];
    int count = w->backend == SEL_BACKEND_SELECT ? 900 : 1050;

    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(w, i % 10 == 0);
        EXPECT(w, 0, sel_register(w->sel, fds[i], READ, NULL, NULL));
        w->keys[w->count++] = (sel_key){.fd = fds[i], .events = READ};
    }
    verify_map(w);
    for (int i = 0; i < count; i += 10)
        await(w, fds[i], READ);
    put_byte(w->beacon[1]);
    await(w, w->beacon[0], READ);
    take_byte(w->beacon[0]);
}

static void modifying(world *w)
{
    call_record record = {.name = "modified"};
    int pair[2];

    make_pair(w, pair);
    put_byte(pair[1]);
    enroll(w, pair[0], READ, &record);
    await(w, pair[0], READ);
    change(w, pair[0], READ | WRITE_);
    await(w, pair[0], READ | WRITE_);
    dispatch(w);
    report(&record);
    change(w, pair[0], WRITE_);
    await(w, pair[0], WRITE_);
    change(w, pair[0], 0);
    await_nothing(w, 0.001);
    change(w, pair[0], READ | WRITE_ | EXCEPT);
    change(w, pair[0], 0);
    await_nothing(w, 0);
    change(w, pair[0], READ);
    await(w, pair[0], READ);
    take_byte(pair[0]);
    await_nothing(w, 0.001);
}

static void count_task(sel_selector *sel, void *data)
{
    call_record *record = data;

    (void)sel;
    record->calls++;
}

/* Its key is the library's, and known when it is there. */
static void take_key(world *w, int fd)
{
    sel_key *known = find_key(w, fd), key;

    CHECK(sel_get_key(w->sel, fd, &key) == 0);
    if (known == NULL)
        known = &w->keys[w->count++];
    *known = key;
    verify_map(w);
}

static void add(world *w, int fd, int event, call_record *record)
{
    if (event == READ)
        EXPECT(w, 0, sel_add_reader(w->sel, fd, count_task, record));
    else
        EXPECT(w, 0, sel_add_writer(w->sel, fd, count_task, record));
    take_key(w, fd);
}

/*
 * Both are called in one pass. Where a look at the descriptor said that it is another's,
 * or could not say that it is, one is gone or both are silent until they are added again.
 */
static void run_both(world *w, int fd, call_record *reader, call_record *writer)
{
    for (int i = 0; i < 6; i++) {
        int count;

        reader->calls = writer->calls = 0;
        ATTEMPT(w, count, sel_select(w->sel, 0.02, NULL));
        dispatch(w);
        if (reader->calls == 1 && writer->calls == 1)
            return;
        if (!faults_lied() && !faults_blind() && fault_run->plan.call != POLL)
            fail_run("%d pairs, reader %d, writer %d", count, reader->calls,
                     writer->calls);
        add(w, fd, READ, reader);
        add(w, fd, WRITE_, writer);
    }
    fail_run("readers and writers that were added again stay silent");
}

static void readers(world *w)
{
    call_record reader = {.name = "reader"}, writer = {.name = "writer"};
    int pair[2], other[2];

    make_pair(w, pair);
    put_byte(pair[1]);
    add(w, pair[0], READ, &reader);
    add(w, pair[0], WRITE_, &writer);
    run_both(w, pair[0], &reader, &writer);
    report(&reader);
    report(&writer);
    EXPECT(w, 0, sel_remove_reader(w->sel, pair[0]));
    take_key(w, pair[0]);
    make_pair(w, other);
    put_byte(other[1]);
    CHECK(dup3(other[0], pair[0], O_CLOEXEC) == pair[0]); /* another file's by now */
    add(w, pair[0], READ, &reader);
    add(w, pair[0], WRITE_, &writer);
    run_both(w, pair[0], &reader, &writer);
    report(&reader);
    report(&writer);
    drop(w, pair[0]);
    await_nothing(w, 0.001);
    add(w, other[0], READ, &reader); /* for sel_close() */
}

/* The number stays, its files come and go: libuv's handle is used again. */
static void one_number_many_files(world *w)
{
    call_record record = {.name = "number"};
    int pair[2], fd = make_eventfd(w, 1);

    enroll(w, fd, READ, &record);
    await(w, fd, READ);
    drop(w, fd);
    for (int i = 0; i < 3; i++) {
        make_pair(w, pair);
        CHECK(dup3(pair[0], fd, O_CLOEXEC) == fd);
        enroll(w, fd, WRITE_, &record);
        await(w, fd, WRITE_);
        drop(w, fd);
    }
    CHECK(dup3(make_eventfd(w, 1), fd, O_CLOEXEC) == fd);
    enroll(w, fd, READ, &record);
    await(w, fd, READ);
}

static void refused(world *w)
{
    char path[] = "/tmp/torture-XXXXXX";
    int regular = keep(w, mkstemp(path));
    int null = keep(w, open("/dev/null", O_RDWR | O_CLOEXEC));
    int closed = dup(null);

    unlink(path);
    close(closed);
    EXPECT(w, -EPERM, sel_register(w->sel, regular, READ, NULL, NULL));
    EXPECT(w, -EPERM, sel_register(w->sel, null, READ, NULL, NULL));
    EXPECT(w, -EBADF, sel_register(w->sel, closed, READ, NULL, NULL));
    if (!faults_lie()) /* a key that is called gone makes way */
        EXPECT(w, -EEXIST, sel_register(w->sel, w->beacon[0], READ, NULL, NULL));
    EXPECT(w, -EINVAL, sel_register(w->sel, null, 0, NULL, NULL));
    EXPECT(w, -ENOENT, sel_modify(w->sel, null, READ, NULL, NULL));
    EXPECT(w, -ENOENT, sel_unregister(w->sel, null));
    verify_map(w);
}

/* The flags of a descriptor are what they were, if anything can set them. */
static void flags(world *w)
{
    int ends[2];

    make_pipe(w, ends);
    enroll(w, ends[0], READ, NULL);
    put_byte(ends[1]);
    await(w, ends[0], READ);
    change(w, ends[0], 0);
    change(w, ends[0], READ);
    await(w, ends[0], READ);
    drop(w, ends[0]);
    if (fault_run->plan.call != FCNTL_SETFL)
        CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
}

static void asking(world *w)
{
    sel_key key;
    sel_stats stats;

    EXPECT(w, 0, sel_get_key(w->sel, w->beacon[0], &key));
    EXPECT(w, 1, sel_get_map(w->sel, NULL, 0));
    EXPECT(w, 0, sel_get_stats(w->sel, &stats, sizeof stats));
    put_byte(w->beacon[1]);
    await(w, w->beacon[0], READ);
    dispatch(w);
    EXPECT(w, 0, sel_get_stats(w->sel, &stats, sizeof stats));
    CHECK(stats.passes > 0 && stats.pairs > 0);
    take_byte(w->beacon[0]);
}

const scenario key_scenarios[] = {
    {"opening", opening},
    {"opening_by_name", opening_by_name},
    {"registering", registering},
    {"high_numbers", high_numbers},
    {"beyond_select", beyond_select},
    {"wider_batch", wider_batch},
    {"many", many},
    {"modifying", modifying},
    {"readers", readers},
    {"one_number_many_files", one_number_many_files},
    {"refused", refused},
    {"flags", flags},
    {"asking", asking},
    {NULL, NULL},
};

const scenario opening_scenarios[] = {
    {"opening_first", opening_first},
    {NULL, NULL},
};
