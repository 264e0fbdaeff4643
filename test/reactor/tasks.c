/* SPDX-License-Identifier: MIT */
/*
 * Tasks run in the order in which they were queued, by either call and from anywhere,
 * each once, and in a later pass.
 */
#include "support/journal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST = 1 << 16 }; /* waiting at a time: a power of two */

static struct {
    sel_selector *sel;
    uint64_t random;
    int queued, run, wanted;
    int passes;
    int queued_in[MOST]; /* the pass inside which each was queued, or -1 */
    bool is_inside;
    int wrong; /* counted, because assertions would write to libcheck's pipe too often */
} all;

static int choose(int count)
{
    return (int)(next_random(&all.random) % (uint64_t)count);
}

static void run_next(sel_selector *sel, void *data);

static void queue_one(void)
{
    intptr_t number = all.queued;

    if (all.queued == all.wanted || all.queued - all.run == MOST)
        return;
    all.queued_in[all.queued++ % MOST] = all.is_inside ? all.passes : -1;
    all.wrong += (choose(2) ? sel_call_soon : sel_call_soon_threadsafe)(
                     all.sel, run_next, (void *)number) != 0;
}

/* Runs of one kind as well as mixtures; usually none, now and then many. */
static void queue_some(void)
{
    int count = choose(50) == 0 ? choose(300) : choose(3);

    for (int i = 0; i < count; i++)
        queue_one();
}

static void run_next(sel_selector *sel, void *data)
{
    int number = (int)(intptr_t)data;

    all.wrong += sel != all.sel || number != all.run;
    all.wrong += all.queued_in[number % MOST] == all.passes;
    all.run++;
    if (choose(8) == 0)
        queue_some();
}

static void run_timer(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
    queue_some();
}

static void note_next(sel_selector *sel, void *data)
{
    (void)sel;
    all.wrong += (int)(intptr_t)data != all.run;
    all.run++;
}

/* As many as were there before it run in it. */
static void make_pass(void)
{
    int before = all.queued;

    if (choose(2))
        ck_assert_int_eq(sel_select(all.sel, 0, NULL), 0);
    if (choose(4) == 0)
        ck_assert_int_eq(sel_call_later(all.sel, 0, run_timer, NULL, NULL), 0);
    all.passes++;
    all.is_inside = true;
    ck_assert_int_ge(sel_dispatch(all.sel), 0);
    all.is_inside = false;
    ck_assert_int_eq(all.run, before);
    ck_assert_int_eq(all.wrong, 0);
}

START_TEST(whatever_is_queued_wherever_runs_once_in_its_order)
{
    all.random = choose_seed();
    all.sel = open_selector(_i);
    all.queued = all.run = all.passes = all.wrong = 0;
    all.wanted = choose_rounds(200000);
    while (all.run < all.wanted) {
        queue_some();
        make_pass();
    }
    assert_ok(sel_run(all.sel));
    assert_ok(sel_close(all.sel));
    printf("%d tasks in %d passes\n", all.run, all.passes);
}
END_TEST

static void run_crowd(int count)
{
    for (int i = 0; i < count; i++)
        assert_ok(sel_call_soon(all.sel, note_next, (void *)(intptr_t)all.queued++));
    ck_assert_int_eq(pass(all.sel), count);
    ck_assert_int_eq(all.wrong, 0);
    ck_assert_int_eq(all.run, all.queued);
}

/* The ring of tasks may start anywhere when it has to grow. */
START_TEST(a_crowd_of_tasks_after_others_keeps_its_order)
{
    for (int others = 0; others < 40; others++) {
        for (int many = 1; many < 200; many += 37) {
            all.sel = open_selector(_i);
            all.queued = all.run = all.wrong = 0;
            run_crowd(others);
            run_crowd(many);
            run_crowd(2 * many);
            assert_ok(sel_close(all.sel));
        }
    }
}
END_TEST

/* --- beside others --- */

typedef struct {
    sel_selector *sel;
    atomic_bool over;
    int posted, run;
} neighbour;

static void count_neighbours(sel_selector *sel, void *data)
{
    (void)sel;
    ((neighbour *)data)->run++;
}

static void *post_until_over(void *data)
{
    neighbour *other = data;

    while (!atomic_load(&other->over) && other->posted < MOST)
        if (sel_call_soon_threadsafe(other->sel, count_neighbours, other) == 0)
            other->posted++;
    return NULL;
}

/* Another thread's tasks arrive in between, at any moment. */
START_TEST(one_threads_order_holds_while_another_posts)
{
    neighbour other = {.posted = 0};
    pthread_t thread;

    all.random = choose_seed();
    all.sel = other.sel = open_selector(_i);
    all.queued = all.run = all.passes = all.wrong = 0;
    all.wanted = choose_rounds(50000);
    start_thread(&thread, post_until_over, &other);
    while (all.run < all.wanted) {
        queue_some();
        make_pass();
    }
    atomic_store(&other.over, true);
    join_thread(thread);
    assert_ok(sel_run(all.sel));
    ck_assert_int_eq(other.run, other.posted);
    assert_ok(sel_close(all.sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tasks");
    TCase *tcase = new_tcase("tasks in their order");

    add_backend_test(tcase, whatever_is_queued_wherever_runs_once_in_its_order);
    add_backend_test(tcase, a_crowd_of_tasks_after_others_keeps_its_order);
    add_backend_test(tcase, one_threads_order_holds_while_another_posts);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
