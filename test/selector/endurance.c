/* SPDX-License-Identifier: MIT */
/*
 * What a program that runs for years does again and again must not take memory for
 * good. TEST_ROUNDS says how often; a leak of a few bytes shows at the quick count too.
 */
#include "support/support.h"

#include <malloc.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

enum { POOL = 100, WARM_UP = 300 };

static int pool[POOL];

static void open_pool(void)
{
    for (int i = 0; i < POOL; i++)
        pool[i] = make_eventfd(i % 2 == 0);
}

static void close_pool(void)
{
    for (int i = 0; i < POOL; i++)
        close(pool[i]);
}

static void assert_registered(sel_selector *sel, int round)
{
    static const int events[] = {READ, WRITE, READ | WRITE};

    assert_ok(sel_register(sel, pool[round % POOL], events[round % 3], NULL, NULL));
}

/* What a program does between register and unregister: nothing, one wait, two. */
static void register_and_unregister(sel_selector *sel, int round, int waits)
{
    assert_registered(sel, round);
    if (waits > 0)
        count_ready(sel);
    assert_ok(sel_unregister(sel, pool[round % POOL]));
    if (waits > 1)
        count_ready(sel);
}

static void register_and_unregister_all(sel_selector *sel, int round)
{
    for (int i = 0; i < POOL; i++)
        assert_registered(sel, i + round % 3 * POOL);
    count_ready(sel);
    for (int i = 0; i < POOL; i++)
        assert_ok(sel_unregister(sel, pool[i]));
}

static size_t count_heap_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();

    return heap.uordblks + heap.hblkhd;
}

/* Under a sanitizer, whose heap reports 0, this only proves that it runs. */
static void assert_flat(size_t before)
{
    ck_assert_uint_le(count_heap_bytes(), before + 4096);
}

/* libuv frees a handle only when its loop runs, which here may be never. */
START_TEST(memory_is_flat_over_registrations_with_and_without_waits)
{
    int rounds = choose_rounds(20000);

    open_pool();
    for (int waits = 0; waits <= 2; waits++) {
        sel_selector *sel = open_selector(_i);
        size_t before;

        for (int i = 0; i < WARM_UP; i++)
            register_and_unregister(sel, i, waits);
        before = count_heap_bytes();
        for (int i = 0; i < rounds; i++)
            register_and_unregister(sel, i, waits);
        assert_flat(before);
        assert_ok(sel_close(sel));
    }
    close_pool();
}
END_TEST

START_TEST(memory_is_flat_over_registrations_by_the_hundred)
{
    int rounds = choose_rounds(20000) / POOL;
    sel_selector *sel = open_selector(_i);
    size_t before;

    open_pool();
    for (int i = 0; i < WARM_UP / POOL; i++)
        register_and_unregister_all(sel, i);
    before = count_heap_bytes();
    for (int i = 0; i < rounds; i++)
        register_and_unregister_all(sel, i);
    assert_flat(before);
    assert_ok(sel_close(sel));
    close_pool();
}
END_TEST

START_TEST(memory_is_flat_over_selectors_that_were_closed_with_their_keys)
{
    size_t before = 0;

    open_pool();
    for (int i = 0; i < 500; i++) {
        sel_selector *sel = open_selector(_i);

        for (int key = 0; key < POOL; key++)
            assert_registered(sel, key);
        if (i % 2 == 0)
            count_ready(sel);
        assert_ok(sel_close(sel));
        if (i == 20)
            before = count_heap_bytes();
    }
    assert_flat(before);
    close_pool();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endurance");
    TCase *tcase = new_tcase("endurance");

    tcase_set_timeout(tcase, 600);
    add_backend_test(tcase, memory_is_flat_over_registrations_with_and_without_waits);
    add_backend_test(tcase, memory_is_flat_over_registrations_by_the_hundred);
    add_backend_test(tcase,
                     memory_is_flat_over_selectors_that_were_closed_with_their_keys);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
