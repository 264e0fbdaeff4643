/* SPDX-License-Identifier: MIT */
/*
 * The library built with -ffast-math (or -Ofast), where the compiler assumes that there
 * is no NaN and no infinity: it used to accept NaN.
 */
#include "support/support.h"

#include <errno.h>
#include <math.h>

static void never(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
    ck_abort_msg("ran");
}

START_TEST(nan_is_refused)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);

    assert_error(sel_select(sel, (double)NAN, NULL), EINVAL);
    assert_error(sel_compat_select(&fd, 1, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, NULL,
                                   NULL, (double)NAN),
                 EINVAL);
    assert_error(sel_call_later(sel, (double)NAN, never, NULL, NULL), EINVAL);
    assert_error(sel_call_at(sel, (double)NAN, never, NULL, NULL), EINVAL);
    assert_error(sel_call_every(sel, (double)NAN, never, NULL, NULL), EINVAL);
    assert_ok(sel_close(sel));
    close_pair((int[]){fd, make_eventfd(0)});
}
END_TEST

START_TEST(infinity_is_for_ever_and_less_than_zero_a_look)
{
    sel_selector *sel = open_selector(_i);

    ck_assert(isinf(sel_get_timeout(sel)));
    ck_assert_int_eq(sel_select(sel, -HUGE_VAL, NULL), 0);
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fast_math");
    TCase *tcase = new_tcase("no such numbers");

    add_backend_test(tcase, nan_is_refused);
    add_backend_test(tcase, infinity_is_for_ever_and_less_than_zero_a_look);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
