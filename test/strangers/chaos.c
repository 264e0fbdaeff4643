/* SPDX-License-Identifier: MIT */
/*
 * Two selectors in one thread, on backends of their own, whose callbacks do
 * everything: close, dup2, register hundreds, unregister and modify neighbours, wake
 * and dispatch and close each other, cancel timers, queue tasks.  chaos_model.c knows
 * what must come of it:
 *
 *   sel_select      reports what poll(2) reports, each descriptor once, all its
 *                   events in one mask, and nothing that is not watched
 *   sel_dispatch    calls each pair once, tasks first and timers last; a pair that
 *                   was modified, paused or unregistered has changed with its key
 *   sel_register    -EEXIST for the same file and nothing else; a number that is
 *                   another file is free
 *   sel_modify      -EBADF and no key where events are added to another file
 *   sel_unregister  works for each key that is there, whatever became of its number
 *   sel_get_map     has exactly the keys, in order
 *   sel_call_soon   in the order of the calls, sel_call_soon_threadsafe()'s among
 *                   them, in the next pass
 *   sel_call_later  never early, in the order of the due times, never once cancelled
 *   sel_close       -EBUSY inside a callback of its own, else ends it anywhere
 */
#include "chaos_model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEPS = 150, ACTIONS = 3, MANY = 100 };

static sel_callback act_first, act_second;
static sel_callback *const callbacks[] = {act_first, act_second, NULL};

static void open_pair(void)
{
    int ends[2];
    if (count_open() > MOST_OPEN || !make_pair(ends))
        return;
    model_opened(ends[0]);
    model_opened(ends[1]);
}

/* Two numbers for one file. */
static void duplicate(void)
{
    int fd = pick_open(), copy = fd < 0 || count_open() > MOST_OPEN ? -1 : dup(fd);
    if (copy >= 0)
        model_duplicated(fd, copy);
}

static void replace(void)
{
    int from = pick_open(), to = pick_open();
    if (from >= 0 && from != to) {
        CHECK_IS(dup2(from, to), to);
        model_duplicated(from, to);
    }
}

static void shut(void)
{
    int fd = pick_open();
    if (fd < 0)
        return;
    CHECK_IS(close(fd), 0);
    model_closed(fd);
}

static void fill_or_drain(void)
{
    char bytes[64];
    int fd = pick_open();
    memset(bytes, 1, sizeof bytes);
    if (fd >= 0 && pick(2) == 0)
        (void)!send(fd, bytes, 1 + pick(sizeof bytes), MSG_NOSIGNAL);
    else if (fd >= 0)
        (void)!recv(fd, bytes, sizeof bytes, 0);
}

static void do_register(struct world *world)
{
    int fd = pick_open();
    if (fd >= 0)
        model_register(world, fd, 1 + (int)pick(7), callbacks[pick(3)]);
}

static void do_modify(struct world *world)
{
    model_modify(world, pick_number(world), (int)pick(8), callbacks[pick(3)]);
}

static void do_unregister(struct world *world)
{
    model_unregister(world, pick_number(world));
}

static void register_hundreds(struct world *world)
{
    for (int i = 0; i < MANY && count_open() < MOST_OPEN; i++) {
        open_pair();
        do_register(world);
    }
}

/* Back to few, so that the next hundreds have room. */
static void thin_out(void)
{
    while (count_open() > 20)
        shut();
}

static void pass_other(struct world *other)
{
    if (other->is_in_callback) {
        CHECK_IS(sel_select(other->sel, 0, NULL), -EBUSY);
        CHECK_IS(sel_dispatch(other->sel), -EBUSY);
        CHECK_IS(sel_run(other->sel), -EBUSY);
    } else {
        model_pass(other, 0);
    }
}

static void reopen(struct world *world)
{
    if (world->is_in_callback) {
        CHECK_IS(sel_close(world->sel), -EBUSY);
    } else {
        CHECK_IS(sel_close(world->sel), 0);
        model_open(world, pick_backend());
    }
}

static void act_on(struct world *world)
{
    switch (pick(9)) {
    case 0:
    case 1:
        do_register(world);
        return;
    case 2:
        do_modify(world);
        return;
    case 3:
        do_unregister(world);
        return;
    case 4:
        model_queue(world, pick(2) == 0);
        return;
    case 5:
        model_start_timer(world, (int)pick(6) - 1);
        return;
    case 6:
        model_cancel_timer(world);
        return;
    case 7:
        model_reschedule_timer(world, (int)pick(6) - 1);
        return;
    default:
        model_wake(world);
    }
}

static void act_on_descriptors(void)
{
    switch (pick(9)) {
    case 0:
        shut();
        return;
    case 1:
        duplicate();
        return;
    case 2:
        replace();
        return;
    case 3:
    case 4:
        open_pair();
        return;
    default:
        fill_or_drain();
    }
}

void act(void)
{
    for (int i = (int)pick(ACTIONS + 1); i > 0; i--) {
        struct world *world = &worlds[pick(2)];
        unsigned choice = pick(200);
        if (choice == 0)
            register_hundreds(world);
        else if (choice == 1)
            thin_out();
        else if (choice < 5)
            reopen(world);
        else if (choice < 15)
            pass_other(world);
        else if (choice < 110)
            act_on(world);
        else
            act_on_descriptors();
    }
}

static void act_ready(sel_selector *sel, const sel_key *key, int mask, sel_callback *mine)
{
    struct world *world = model_called(sel, key, mask, mine);
    struct key *watched = &world->keys[key->fd];
    int fd = key->fd, born = watched->born;
    act();
    if (pick(10) == 0)
        model_unregister(world, fd);
    /* A callback can ask whether the key is still its own. */
    CHECK_IS(key->fd, fd);
    CHECK(key->callback == (watched->born == born ? watched->callback : NULL));
    CHECK_IS(key->events, watched->born == born ? watched->events : 0);
    model_returned(world);
}

static void act_first(sel_selector *sel, const sel_key *key, int mask)
{
    act_ready(sel, key, mask, act_first);
}

static void act_second(sel_selector *sel, const sel_key *key, int mask)
{
    act_ready(sel, key, mask, act_second);
}

static void chaos(sel_backend backend)
{
    model_start();
    model_open(&worlds[0], backend);
    model_open(&worlds[1], pick_backend());
    for (int i = 0; i < STEPS; i++) {
        act();
        model_pass(&worlds[pick(2)], pick(8) == 0 ? 0.002 : 0);
    }
    CHECK_IS(sel_close(worlds[0].sel), 0);
    CHECK_IS(sel_close(worlds[1].sel), 0);
    while (count_open() > 0)
        shut();
}

int main(int argc, char **argv)
{
    stranger_warm_up();
    return stranger_main(argc, argv, 20, chaos);
}
