/* SPDX-License-Identifier: MIT */
/*
 * In the steady state tasks and timers allocate nothing: once there have been as many
 * as there are now, there is room for them. And if there is no memory for more, what
 * was accepted runs.
 *
 * This program is linked with the library's objects, whose calls to the allocator come
 * through here.
 */
#include "support/journal.h"

#include <errno.h>
#include <stdlib.h>

static int allocations;
static bool refused; /* memory is refused, which is not counted as an allocation */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return refused ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return refused ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    allocations++;
    return refused ? NULL : __real_realloc(block, size);
}

enum { CROWD = 100, PASSES = 200, WARM = 20 };

static int runs, wrong; /* counted, because an assertion would allocate */

/* How many allocations that many passes make, each of which calls `count`. */
static int count_allocations(sel_selector *sel, int passes, int count)
{
    int before = allocations;

    wrong = 0;
    for (int i = 0; i < passes; i++) {
        wrong += sel_select(sel, 0, NULL) != 0;
        wrong += sel_dispatch(sel) != count;
    }
    before = allocations - before;
    ck_assert_int_eq(wrong, 0);
    return before;
}

static void go_on(sel_selector *sel, void *data)
{
    runs++;
    wrong += sel_call_soon(sel, go_on, data) != 0;
}

START_TEST(tasks_that_queue_tasks_allocate_nothing)
{
    sel_selector *sel = open_selector(_i);

    runs = 0;
    for (int i = 0; i < CROWD; i++)
        assert_ok(sel_call_soon(sel, go_on, NULL));
    ck_assert_int_eq(count_allocations(sel, 1, CROWD), 0); /* the room is there */
    ck_assert_int_eq(count_allocations(sel, PASSES, CROWD), 0);
    ck_assert_int_eq(runs, CROWD * (PASSES + 1));
    assert_ok(sel_close(sel));
}
END_TEST

static void arm_again(sel_selector *sel, void *data)
{
    sel_timer cancelled, moved;

    runs++;
    wrong += sel_call_later(sel, 0, arm_again, data, NULL) != 0;
    wrong += sel_call_later(sel, 0, never, NULL, &cancelled) != 0;
    wrong += sel_call_later(sel, 3600, count_task, data, &moved) != 0;
    wrong += sel_reschedule(sel, moved, 0) != 0;
    wrong += sel_cancel(sel, cancelled) != 0;
}

START_TEST(timers_that_make_timers_allocate_nothing)
{
    sel_selector *sel = open_selector(_i);
    int others = 0;

    runs = 0;
    for (int i = 0; i < CROWD; i++)
        assert_ok(sel_call_later(sel, 0, arm_again, &others, NULL));
    assert_ok(sel_call_every(sel, 1e-9, count_task, &others, NULL));
    ck_assert_int_gt(count_allocations(sel, 1, CROWD + 1), 0);
    count_allocations(sel, WARM, 2 * CROWD + 1);
    ck_assert_int_eq(count_allocations(sel, PASSES, 2 * CROWD + 1), 0);
    ck_assert_int_eq(runs, CROWD * (PASSES + WARM + 1));
    assert_ok(sel_close(sel));
}
END_TEST

/* With both calls in turn, so that each has to queue behind the other's. */
START_TEST(posted_tasks_allocate_nothing)
{
    sel_selector *sel = open_selector(_i);
    int before = 0;

    runs = 0;
    for (int round = 0; round < WARM + PASSES; round++) {
        if (round == WARM)
            before = allocations;
        wrong = 0;
        for (int i = 0; i < CROWD; i++)
            wrong += (i % 8 ? sel_call_soon_threadsafe : sel_call_soon)(sel, count_task,
                                                                        &runs) != 0;
        wrong += sel_select(sel, 0, NULL) != 0;
        wrong += sel_dispatch(sel) != CROWD;
        if (wrong > 0)
            break;
    }
    before = allocations - before;
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(before, 0);
    ck_assert_int_eq(runs, CROWD * (WARM + PASSES));
    assert_ok(sel_close(sel));
}
END_TEST

/* No more than the first ones make room for, with a full ring before them. */
START_TEST(what_was_posted_runs_without_memory_to_take_it_over)
{
    enum { ROOM = 16 };
    sel_selector *sel = open_selector(_i);
    int queued = 0, posted = 0, more, called[2];

    for (int i = 0; i < ROOM; i++) {
        assert_ok(sel_call_soon(sel, count_task, &queued));
        assert_ok(sel_call_soon_threadsafe(sel, count_task, &posted));
        if (i == 0) /* ring and inbox change places: both have room now */
            wait_and_pass(sel);
    }
    queued = posted = 0;
    for (int i = 0; i < ROOM; i++)
        assert_ok(sel_call_soon_threadsafe(sel, count_task, &posted));
    refused = true;
    more = sel_call_soon(sel, never, NULL);
    for (int i = 0; i < 2; i++)
        called[i] = sel_select(sel, 0, NULL) < 0 ? -1 : sel_dispatch(sel);
    refused = false;
    ck_assert_int_eq(more, -ENOMEM);
    ck_assert_int_gt(called[0], 0);
    ck_assert_int_gt(called[1], 0);
    ck_assert_int_eq(sel_is_alive(sel), 0);
    ck_assert_int_ge(posted, ROOM);
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    int *next;
    int place;
} timer_turn;

static void check_turn(sel_selector *sel, void *data)
{
    timer_turn *self = data;

    (void)sel;
    wrong += self->place != (*self->next)++;
}

/*
 * Each becomes due before all the others, so that for most there is no room for another
 * entry.
 */
START_TEST(timers_are_rescheduled_without_memory)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timers[CROWD];
    timer_turn turns[CROWD];
    int next = 0;

    wrong = 0;
    for (int i = 0; i < CROWD; i++) {
        turns[i] = (timer_turn){&next, CROWD - 1 - i};
        assert_ok(sel_call_later(sel, 3600, check_turn, &turns[i], &timers[i]));
    }
    refused = true;
    for (int i = 0; i < CROWD; i++)
        wrong += sel_reschedule(sel, timers[i], -i) != 0;
    refused = false;
    assert_ok(sel_run(sel));
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(next, CROWD);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("allocations");
    TCase *tcase = new_tcase("allocations");

    add_backend_test(tcase, tasks_that_queue_tasks_allocate_nothing);
    add_backend_test(tcase, timers_that_make_timers_allocate_nothing);
    add_backend_test(tcase, posted_tasks_allocate_nothing);
    add_backend_test(tcase, what_was_posted_runs_without_memory_to_take_it_over);
    add_backend_test(tcase, timers_are_rescheduled_without_memory);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
