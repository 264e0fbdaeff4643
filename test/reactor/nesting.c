/* SPDX-License-Identifier: MIT */
/*
 * The kernel's limits on epoll sets in epoll sets, and on how many sets one file may be
 * in: a hundred, fifty and ten at the deeper levels. A selector is a set,
 * sel_fileno()'s is one around it, and a libuv loop that it is attached to is a third.
 * At such a limit libuv ends the process; a selector returns an error, or does without.
 */
#include "support/support.h"

#include <selkie/uv.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

enum {
    READ = SEL_EVENT_READ,
    DUPLICATES = 700, /* the limit is 500 in a set that is in a set */
    KEYS = 1500,      /* more than one of libuv's loops holds */
    DEEPEST = 8
};

static int fds[KEYS];

static bool is_limit(int error)
{
    return error == -EINVAL || error == -ELOOP;
}

/* As many duplicates of a file with a byte in it as the selector accepts. */
static int register_duplicates(sel_selector *sel, int fd)
{
    int length = 0, error = 0;

    while (length < DUPLICATES) {
        fds[length] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        ck_assert_int_ge(fds[length], 0);
        error = sel_register(sel, fds[length], READ, NULL, NULL);
        if (error < 0)
            break;
        length++;
    }
    ck_assert(error == 0 || is_limit(error));
    if (error < 0)
        close(fds[length]);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), length);
    return length;
}

static void close_all(int length)
{
    while (length > 0)
        close(fds[--length]);
}

/* One more is refused as long as none is removed, and then again. */
static void assert_full(sel_selector *sel, int fd, int length)
{
    for (int round = 0; round < 2; round++) {
        ck_assert(is_limit(sel_register(sel, fd, READ, NULL, NULL)));
        assert_ok(sel_unregister(sel, fds[length - 1]));
        assert_ok(sel_register(sel, fd, READ, NULL, NULL));
        assert_ok(sel_unregister(sel, fd));
        assert_ok(sel_register(sel, fds[length - 1], READ, NULL, NULL));
    }
}

START_TEST(duplicates_of_one_file_are_taken_while_the_kernel_takes_them)
{
    int most = DUPLICATES;

    raise_descriptor_limit();
    for (int depth = 0; depth <= 2; depth++) {
        sel_selector *sel = open_selector(_i), *around = open_selector(_i);
        int ends[2], length;

        make_pipe(ends);
        put_byte(ends[1]);
        if (depth >= 1)
            ck_assert_int_ge(sel_fileno(sel), 0);
        if (depth == 2)
            assert_ok(sel_register(around, sel_fileno(sel), READ, NULL, NULL));
        length = register_duplicates(sel, ends[0]);
        ck_assert(depth == 0 ? length == most : length < most);
        most = length;
        for (int round = 0; round < 2; round++)
            ck_assert_int_eq(count_ready(sel), length);
        if (depth > 0)
            assert_full(sel, ends[0], length);
        ck_assert_int_eq(count_ready(sel), length);
        ck_assert_int_eq(count_ready(around), depth == 2);
        assert_ok(sel_close(around));
        assert_ok(sel_close(sel));
        close_all(length);
        close_pair(ends);
    }
}
END_TEST

START_TEST(duplicates_in_an_attached_selector_end_no_process)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int ends[2], length;
    uv_loop_t loop;

    assert_ok(uv_loop_init(&loop));
    assert_ok(sel_attach_loop(sel, &loop));
    make_pipe(ends);
    length = register_duplicates(sel, ends[0]);
    ck_assert_int_lt(length, DUPLICATES);
    for (int i = 0; i < length; i++)
        assert_ok(sel_modify(sel, fds[i], READ, record_call, &record));
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(record.calls, 0);
    put_byte(ends[1]);
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_ge(record.calls, length);
    assert_ok(sel_close(sel));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_ok(uv_loop_close(&loop));
    close_all(length);
    close_pair(ends);
}
END_TEST

/* With more of them than a loop around it may hold, attaching fails. */
START_TEST(a_selector_with_too_many_duplicates_cannot_be_attached)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], length;
    uv_loop_t loop;

    assert_ok(uv_loop_init(&loop));
    make_pipe(ends);
    put_byte(ends[1]);
    ck_assert_int_ge(sel_fileno(sel), 0);
    length = register_duplicates(sel, ends[0]);
    ck_assert(is_limit(sel_attach_loop(sel, &loop)));
    ck_assert_int_eq(count_ready(sel), length);
    assert_ok(sel_close(sel));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_ok(uv_loop_close(&loop));
    close_all(length);
    close_pair(ends);
}
END_TEST

/* --- selectors in selectors --- */

static void close_chain(sel_selector **chain, int length)
{
    while (length > 0)
        assert_ok(sel_close(chain[--length]));
}

/* Through the last one that was accepted, what happens in the first is noticed. */
static void assert_heard(sel_selector **chain, int length, const int ends[2])
{
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < length; i++)
            ck_assert_int_eq(count_ready(chain[i]), 0);
        put_byte(ends[1]);
        ck_assert_int_eq(sel_select(chain[length - 1], 5, NULL), 1);
        for (int i = length; i-- > 0;)
            ck_assert_int_eq(count_ready(chain[i]), 1);
        take_byte(ends[0]);
    }
}

/*
 * Three deep and more, the kernel refuses. `uv` took that for "closed" when it told the
 * kernel before the wait, and the outermost never noticed.
 */
START_TEST(a_selector_in_a_selector_is_refused_or_heard)
{
    for (int depth = 1; depth <= DEEPEST; depth++) {
        sel_selector *chain[DEEPEST + 1];
        int length = 1, ends[2], error = 0;

        make_socketpair(ends);
        chain[0] = open_selector(_i);
        assert_ok(sel_register(chain[0], ends[0], READ, NULL, NULL));
        while (length <= depth && error == 0) {
            chain[length] = open_selector(_i);
            error = sel_register(chain[length], sel_fileno(chain[length - 1]), READ, NULL,
                                 NULL);
            length++;
        }
        ck_assert(error == 0 || is_limit(error));
        ck_assert(depth > 1 || error == 0);
        if (error < 0)
            assert_ok(sel_close(chain[--length]));
        assert_heard(chain, length, ends);
        close_chain(chain, length);
        close_pair(ends);
    }
}
END_TEST

/* The outermost first: then it is an inner one's registration that is refused. */
START_TEST(a_selector_in_a_selector_is_refused_or_heard_outermost_first)
{
    sel_selector *chain[DEEPEST + 1];
    int top = DEEPEST, ends[2], error = 0;

    make_socketpair(ends);
    for (int i = 0; i <= DEEPEST; i++)
        chain[i] = open_selector(_i);
    while (top > 0 && error == 0) {
        error = sel_fileno(chain[top - 1]);
        if (error >= 0)
            error = sel_register(chain[top], error, READ, NULL, NULL);
        top -= error == 0;
    }
    ck_assert(is_limit(error));
    ck_assert_int_lt(top, DEEPEST);
    assert_ok(sel_register(chain[top], ends[0], READ, NULL, NULL));
    assert_heard(chain + top, DEEPEST + 1 - top, ends);
    close_chain(chain, DEEPEST + 1);
    close_pair(ends);
}
END_TEST

/* The deeper it is, the less room is left for further sets: `uv` ended at 1,002 keys. */
static void nest_a_crowd(int backend, int depth)
{
    sel_selector *chain[DEEPEST + 1] = {open_selector(backend)};
    int length = 1, error = 0;

    raise_descriptor_limit();
    while (error == 0 && length <= depth) {
        chain[length] = open_selector(backend);
        error = sel_register(chain[length], sel_fileno(chain[length - 1]), READ, NULL,
                             NULL);
        length++;
    }
    for (int i = 0; i < length; i++)
        ck_assert_int_eq(count_ready(chain[i]), 0);
    for (int i = 0; i < KEYS; i++) {
        fds[i] = make_eventfd(i % 500 == 0);
        assert_ok(sel_register(chain[0], fds[i], READ, NULL, NULL));
    }
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(count_ready(chain[0]), 3);
        ck_assert_int_eq(count_ready(chain[1]), 1);
    }
    for (int i = 0; i < KEYS; i++)
        ck_assert_int_eq(eventfd_write(fds[i], 1), 0);
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(count_ready(chain[0]), KEYS);
    for (int i = 0; i < KEYS; i += 2)
        assert_ok(sel_unregister(chain[0], fds[i]));
    ck_assert_int_eq(count_ready(chain[0]), KEYS / 2);
    close_chain(chain, length);
    close_all(KEYS);
}

START_TEST(a_selector_that_is_nested_takes_more_than_a_thousand)
{
    for (int depth = 1; depth <= 3; depth++)
        nest_a_crowd(_i, depth);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nesting");
    TCase *tcase = new_tcase("sets in sets");

    /* poll and select have none */
    add_fileno_test(tcase, duplicates_of_one_file_are_taken_while_the_kernel_takes_them);
    add_fileno_test(tcase, duplicates_in_an_attached_selector_end_no_process);
    add_fileno_test(tcase, a_selector_with_too_many_duplicates_cannot_be_attached);
    add_fileno_test(tcase, a_selector_in_a_selector_is_refused_or_heard);
    add_fileno_test(tcase, a_selector_in_a_selector_is_refused_or_heard_outermost_first);
    add_fileno_test(tcase, a_selector_that_is_nested_takes_more_than_a_thousand);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
