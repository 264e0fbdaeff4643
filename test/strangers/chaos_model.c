/* SPDX-License-Identifier: MIT */
/* What two selectors and the descriptors in them must be. */
#include "chaos_model.h"

#include <errno.h>
#include <string.h>

/* Of seconds as a double. */
#define SLACK 1e-7

struct world worlds[2];

static int files[NUMBERS]; /* number -> the file it is, 0 for none */
static int last_file, last_serial;
static int open_numbers;

void model_start(void)
{
    memset(files, 0, sizeof files);
    memset(worlds, 0, sizeof worlds);
    last_file = last_serial = open_numbers = 0;
}

void model_open(struct world *world, sel_backend backend)
{
    memset(world, 0, sizeof *world);
    CHECK_IS(sel_open(backend, &world->sel), 0);
}

/* Descriptors. */

int count_open(void)
{
    return open_numbers;
}

int pick_open(void)
{
    int which = open_numbers == 0 ? -1 : (int)pick((unsigned)open_numbers);
    for (int fd = 0; which >= 0; fd++)
        if (files[fd] != 0 && which-- == 0)
            return fd;
    return -1;
}

/* A registered number as a rule, any other now and then. */
int pick_number(struct world *world)
{
    int from = (int)pick(NUMBERS);
    for (int i = 0; i < NUMBERS && pick(10) > 0; i++)
        for (; i < NUMBERS; i++)
            if (world->keys[(from + i) % NUMBERS].is_there)
                return (from + i) % NUMBERS;
    return from;
}

static void change_file(int fd, int file)
{
    CHECK(fd < NUMBERS);
    open_numbers += (file != 0) - (files[fd] != 0);
    files[fd] = file;
    for (int i = 0; i < 2; i++)
        worlds[i].keys[fd].is_doubtful = true;
}

void model_opened(int fd)
{
    change_file(fd, ++last_file);
}

void model_duplicated(int from, int to)
{
    change_file(to, files[from]);
}

void model_closed(int fd)
{
    change_file(fd, 0);
}

static bool is_file_open(int file)
{
    for (int fd = 0; fd < NUMBERS; fd++)
        if (files[fd] == file)
            return true;
    return false;
}

/* Keys. */

static void check_key(struct world *world, int fd)
{
    const struct key *key = &world->keys[fd];
    sel_key found;
    CHECK_IS(sel_get_key(world->sel, fd, &found), key->is_there ? 0 : -ENOENT);
    if (key->is_there) {
        CHECK_IS(found.fd, fd);
        CHECK_IS(found.events, key->events);
        CHECK_IS((intptr_t)found.data, key->serial);
        CHECK(found.callback == key->callback);
    }
}

static void check_map(struct world *world)
{
    static sel_key found[NUMBERS];
    int count = sel_get_map(world->sel, found, NUMBERS), i = 0;
    for (int fd = 0; fd < NUMBERS; fd++)
        if (world->keys[fd].is_there) {
            CHECK(i < count);
            CHECK_IS(found[i++].fd, fd);
            check_key(world, fd);
        }
    CHECK_IS(count, i);
}

void model_register(struct world *world, int fd, int events, sel_callback *callback)
{
    struct key *key = &world->keys[fd];
    bool is_same = key->is_there && key->file == files[fd];
    intptr_t serial = ++last_serial;
    int status = sel_register(world->sel, fd, events, callback, (void *)serial);

    /* The same file in the same number again: a wait may have seen it gone, or not. */
    if (is_same && (!key->is_doubtful || status != 0))
        CHECK_IS(status, -EEXIST);
    else
        CHECK_IS(status, 0);
    if (status == 0)
        *key = (struct key){.is_there = true, .file = files[fd], .events = events,
                            .serial = (int)serial, .born = (int)serial,
                            .callback = callback};
    check_key(world, fd);
}

void model_modify(struct world *world, int fd, int events, sel_callback *callback)
{
    struct key *key = &world->keys[fd];
    intptr_t serial = ++last_serial;
    int status = sel_modify(world->sel, fd, events, callback, (void *)serial);

    if (!key->is_there) {
        CHECK_IS(status, -ENOENT);
    } else if (!key->is_doubtful) {
        CHECK_IS(status, 0);
    } else if (key->file != files[fd] && (events & ~key->events) != 0) {
        CHECK_IS(status, -EBADF);
    } else {
        CHECK(status == 0 || status == -EBADF);
    }
    if (status == -EBADF)
        memset(key, 0, sizeof *key);
    if (status == 0) {
        key->pair &= events;
        key->is_passed_over |= callback == NULL;
        key->events = events;
        key->callback = callback;
        key->serial = (int)serial;
    }
    check_key(world, fd);
}

void model_unregister(struct world *world, int fd)
{
    struct key *key = &world->keys[fd];
    CHECK_IS(sel_unregister(world->sel, fd), key->is_there ? 0 : -ENOENT);
    memset(key, 0, sizeof *key);
    check_key(world, fd);
}

/* Tasks and timers. */

static struct world *world_of(sel_selector *sel)
{
    return sel == worlds[0].sel ? &worlds[0] : &worlds[1];
}

static void begin_call(struct world *world, int phase)
{
    CHECK(!world->is_in_callback);
    CHECK(world->phase <= phase);
    world->phase = phase;
    world->is_in_callback = true;
    world->calls++;
}

void model_returned(struct world *world)
{
    world->is_in_callback = false;
}

static void run_task(sel_selector *sel, void *data)
{
    struct world *world = world_of(sel);
    begin_call(world, 0);
    CHECK_IS((intptr_t)data, ++world->tasks_run);
    CHECK(world->tasks_run <= world->tasks_before);
    act();
    model_returned(world);
}

void model_queue(struct world *world, bool is_threadsafe)
{
    intptr_t number = ++world->tasks;
    CHECK_IS((is_threadsafe ? sel_call_soon_threadsafe : sel_call_soon)(
                 world->sel, run_task, (void *)number),
             0);
    world->is_woken |= is_threadsafe;
}

static void run_timer(sel_selector *sel, void *data)
{
    struct world *world = world_of(sel);
    struct timer *timer = &world->timers[(intptr_t)data], ran = *timer;
    begin_call(world, 2);
    CHECK(ran.id.id != 0);
    CHECK(ran.pass < world->passes);
    CHECK(sel_time(sel) > ran.due - SLACK);
    timer->id.id = 0;
    for (int i = 0; i < TIMERS; i++)
        CHECK(world->timers[i].id.id == 0 || world->timers[i].pass == world->passes ||
              world->timers[i].latest > ran.due - SLACK);
    act();
    model_returned(world);
}

void model_start_timer(struct world *world, int milliseconds)
{
    intptr_t i = (intptr_t)pick(TIMERS);
    struct timer *timer = &world->timers[i];
    if (timer->id.id != 0)
        return;
    timer->due = sel_time(world->sel) + milliseconds / 1e3;
    timer->pass = world->passes;
    CHECK_IS(sel_call_later(world->sel, milliseconds / 1e3, run_timer, (void *)i,
                            &timer->id),
             0);
    CHECK(timer->id.id != 0);
    timer->latest = sel_time(world->sel) + milliseconds / 1e3;
}

void model_reschedule_timer(struct world *world, int milliseconds)
{
    struct timer *timer = &world->timers[pick(TIMERS)];
    double due = sel_time(world->sel) + milliseconds / 1e3;
    CHECK_IS(sel_reschedule(world->sel, timer->id, milliseconds / 1e3),
             timer->id.id != 0 ? 0 : -ENOENT);
    timer->due = due;
    timer->latest = sel_time(world->sel) + milliseconds / 1e3;
    timer->pass = world->passes;
}

void model_cancel_timer(struct world *world)
{
    struct timer *timer = &world->timers[pick(TIMERS)];
    CHECK_IS(sel_cancel(world->sel, timer->id), timer->id.id != 0 ? 0 : -ENOENT);
    timer->id.id = 0;
}

void model_wake(struct world *world)
{
    CHECK_IS(sel_wakeup(world->sel), 0);
    world->is_woken = true;
}

/* Passes. */

static void check_pair(struct world *world, const sel_ready *ready)
{
    struct key *key = &world->keys[ready->key.fd];
    CHECK(key->is_there && key->pair == 0);
    CHECK(ready->mask != 0 && (ready->mask & ~key->events) == 0);
    CHECK_IS(ready->key.events, key->events);
    CHECK_IS((intptr_t)ready->key.data, key->serial);
    CHECK(ready->key.callback == key->callback);
    if (key->file != files[ready->key.fd])
        CHECK(is_file_open(key->file));
    key->pair = ready->mask;
    key->is_passed_over = key->callback == NULL;
}

/* Every key that poll(2) finds ready has its pair, and that with the same mask. */
static int check_ready(struct world *world)
{
    int doubtful = 0;
    for (int fd = 0; fd < NUMBERS; fd++) {
        struct key *key = &world->keys[fd];
        if (key->is_there && key->is_doubtful)
            doubtful++;
        else if (key->is_there && key->events != 0)
            CHECK_IS(key->pair, look(fd, key->events));
    }
    return doubtful;
}

/* Something is there to be dispatched besides pairs. */
static bool has_something_due(const struct world *world, double now)
{
    bool has = world->tasks > world->tasks_run;
    for (int i = 0; i < TIMERS; i++)
        has |= world->timers[i].id.id != 0 && world->timers[i].due < now + SLACK;
    return has;
}

/*
 * A wait that ends early and empty has had a cause, which is looked for after it.  Before
 * it, there is no telling: where the thread loses the processor between that look and the
 * wait, a timer that was to be due after the wait is due during it.
 */
static void select_once(struct world *world, double timeout)
{
    const sel_ready *ready;
    double start = sel_time(world->sel);
    int count = sel_select(world->sel, timeout, &ready);
    double end = sel_time(world->sel);
    CHECK(count >= 0);
    for (int fd = 0; fd < NUMBERS; fd++)
        world->keys[fd].pair = 0;
    for (int i = 0; i < count; i++)
        check_pair(world, &ready[i]);
    if (check_ready(world) == 0 && count == 0 && end < start + timeout &&
        !world->is_woken) {
        CHECK(has_something_due(world, end));
        CHECK(sel_get_timeout(world->sel) == 0);
    }
    world->is_woken = false;
}

/* What was due before the wait runs now. */
static void dispatch_once(struct world *world, double start)
{
    world->passes++;
    world->calls = world->phase = 0;
    world->tasks_before = world->tasks;
    int called = sel_dispatch(world->sel);
    CHECK_IS(called, world->calls);
    CHECK_IS(world->tasks_run, world->tasks_before);
    for (int fd = 0; fd < NUMBERS; fd++)
        CHECK(world->keys[fd].pair == 0 || world->keys[fd].is_passed_over);
    for (int i = 0; i < TIMERS; i++)
        CHECK(world->timers[i].id.id == 0 || world->timers[i].pass == world->passes ||
              world->timers[i].latest > start - SLACK);
}

void model_pass(struct world *world, double timeout)
{
    double start = sel_time(world->sel);
    select_once(world, timeout);
    dispatch_once(world, start);
    check_map(world);
}

struct world *model_called(sel_selector *sel, const sel_key *ready, int mask,
                           sel_callback *callback)
{
    struct world *world = world_of(sel);
    struct key *key = &world->keys[ready->fd];
    begin_call(world, 1);
    CHECK(key->is_there && key->callback == callback && ready->callback == callback);
    CHECK_IS((intptr_t)ready->data, key->serial);
    CHECK_IS(ready->events, key->events);
    CHECK_IS(mask, key->pair);
    CHECK(mask != 0);
    key->pair = 0;
    return world;
}
