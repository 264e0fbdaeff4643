/* SPDX-License-Identifier: MIT */
/*
 * The C twins of CPython's test_selectors.py: each test there has one of the same name
 * here that tests the same on every backend, and on the default one, as CPython's
 * DefaultSelectorTestCase does. A twin that can't be literal says why. Those that wait
 * are in test_selectors_select.c.
 */
#include "support/support.h"

#include <errno.h>
#include <unistd.h>

enum { UNKNOWN_DESCRIPTOR = 999999, UNKNOWN_EVENT = 999999 };

static void assert_same_key(const sel_key *one, const sel_key *other)
{
    ck_assert_int_eq(one->fd, other->fd);
    ck_assert_int_eq(one->events, other->events);
    ck_assert(one->callback == other->callback);
    ck_assert_ptr_eq(one->data, other->data);
}

static sel_key get_key(sel_selector *sel, int fd)
{
    sel_key key;

    assert_ok(sel_get_key(sel, fd, &key));
    return key;
}

START_TEST(test_register)
{
    sel_selector *sel = open_selector(_i);
    char data[] = "data";
    int ends[2];
    sel_key key;

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, record_call, data));
    key = get_key(sel, ends[0]);
    ck_assert_int_eq(key.fd, ends[0]);
    ck_assert_int_eq(key.events, SEL_EVENT_READ);
    ck_assert(key.callback == record_call);
    ck_assert_ptr_eq(key.data, data);

    assert_error(sel_register(sel, 0, UNKNOWN_EVENT, NULL, NULL), EINVAL);
    assert_error(sel_register(sel, -10, SEL_EVENT_READ, NULL, NULL), EINVAL);
    assert_error(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL), EEXIST);
    /* CPython's fourth, the same number as another object: C has the number only. */
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(test_unregister)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_unregister(sel, ends[0]));
    assert_error(sel_unregister(sel, UNKNOWN_DESCRIPTOR), ENOENT);
    assert_error(sel_unregister(sel, ends[0]), ENOENT);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void unregister_both_after_close(int i)
{
    sel_selector *sel = open_selector(i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    close_pair(ends);
    assert_ok(sel_unregister(sel, ends[0]));
    assert_ok(sel_unregister(sel, ends[1]));
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
}

START_TEST(test_unregister_after_fd_close)
{
    unregister_both_after_close(_i);
}
END_TEST

START_TEST(test_unregister_after_fd_close_and_reuse)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], others[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    make_socketpair(others);
    close_pair(ends);
    move_descriptor(others[0], ends[0]);
    move_descriptor(others[1], ends[1]);
    assert_ok(sel_unregister(sel, ends[0]));
    assert_ok(sel_unregister(sel, ends[1]));
    put_byte(ends[1]); /* the new pair is as good as before */
    take_byte(ends[0]);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/*
 * In Python a closed socket object has lost its number and has to be found by
 * identity.  A descriptor is its number, so this is the same as fd_close.
 */
START_TEST(test_unregister_after_socket_close)
{
    unregister_both_after_close(_i);
}
END_TEST

START_TEST(test_modify)
{
    sel_selector *sel = open_selector(_i);
    sel_key before, after;
    int ends[2], first, second, third;

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    before = get_key(sel, ends[0]);
    assert_ok(sel_modify(sel, ends[0], SEL_EVENT_WRITE, NULL, NULL));
    after = get_key(sel, ends[0]);
    ck_assert_int_ne(before.events, after.events);
    assert_ok(sel_unregister(sel, ends[0]));

    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, &first));
    before = get_key(sel, ends[0]);
    assert_ok(sel_modify(sel, ends[0], SEL_EVENT_READ, NULL, &second));
    after = get_key(sel, ends[0]);
    ck_assert_int_eq(before.events, after.events);
    ck_assert_ptr_eq(after.data, &second);

    assert_error(sel_modify(sel, UNKNOWN_DESCRIPTOR, SEL_EVENT_READ, NULL, NULL), ENOENT);

    /*
     * CPython sees with mocks that a change of data alone goes nowhere.  Here a
     * closed descriptor shows it: whoever asked the kernel would be refused.
     */
    close(ends[0]);
    assert_ok(sel_modify(sel, ends[0], SEL_EVENT_READ, NULL, &third));
    after = get_key(sel, ends[0]);
    ck_assert_ptr_eq(after.data, &third);
    assert_ok(sel_close(sel));
    close(ends[1]);
}
END_TEST

/*
 * https://bugs.python.org/issue30014: a modify() that fails unregisters.
 * CPython mocks the failure; a closed descriptor is a real one.
 */
START_TEST(test_modify_unregister)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
    close(ends[0]);
    assert_error(sel_modify(sel, ends[0], SEL_EVENT_READ | SEL_EVENT_WRITE, NULL, NULL),
                 EBADF);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
    close(ends[1]);
}
END_TEST

/*
 * A closed selector can't be asked anything in C: its memory is gone. All that can be
 * seen is that its keys no longer exist and that the descriptors are not its own.
 */
START_TEST(test_close)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    assert_ok(sel_close(sel));

    put_byte(ends[1]);
    take_byte(ends[0]);
    sel = open_selector(_i);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(test_get_key)
{
    sel_selector *sel = open_selector(_i);
    sel_key wanted = {-1, SEL_EVENT_READ, record_call, &wanted};
    sel_key key = {-1, 0, NULL, NULL};
    int ends[2];

    make_socketpair(ends);
    wanted.fd = ends[0];
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, record_call, &wanted));
    key = get_key(sel, ends[0]);
    assert_same_key(&key, &wanted);
    assert_error(sel_get_key(sel, UNKNOWN_DESCRIPTOR, &key), ENOENT);
    assert_same_key(&key, &wanted);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* The read-only mapping: sel_get_map() gives a copy. */
START_TEST(test_get_map)
{
    sel_selector *sel = open_selector(_i);
    char data[] = "data";
    sel_key keys[3], key;
    int ends[2];

    make_socketpair(ends);
    ck_assert_int_eq(sel_get_map(sel, keys, 3), 0);
    assert_error(sel_get_key(sel, ends[0], &key), ENOENT);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, data));
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
    ck_assert_int_eq(sel_get_map(sel, keys, 3), 1);
    key = get_key(sel, ends[0]);
    assert_same_key(&keys[0], &key);
    assert_error(sel_get_key(sel, UNKNOWN_DESCRIPTOR, &key), ENOENT);

    keys[0].data = NULL;
    key = get_key(sel, ends[0]);
    ck_assert_ptr_eq(key.data, data);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void close_selector(sel_selector **sel)
{
    assert_ok(sel_close(*sel));
}

/*
 * C has no `with`; gcc's and clang's nearest is the cleanup attribute.  That
 * the block closed its selector is the descriptor count of the fixture.
 */
START_TEST(test_context_manager)
{
    int ends[2];

    make_socketpair(ends);
    {
        __attribute__((cleanup(close_selector))) sel_selector *sel = open_selector(_i);

        assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
        assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    }
    close_pair(ends);
}
END_TEST

/* `hasattr(s, 'fileno')` is -ENOTSUP here. */
START_TEST(test_fileno)
{
    sel_selector *sel = open_selector(_i);
    int fd = sel_fileno(sel);

    if (fd != -ENOTSUP)
        ck_assert_int_ge(fd, 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* EpollSelectorTestCase; the same on every backend here. */
START_TEST(test_register_file)
{
    sel_selector *sel = open_selector(_i);
    int fd = open_regular_file();
    sel_key key;

    assert_error(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL), EPERM);
    assert_error(sel_get_key(sel, fd, &key), ENOENT);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/* KqueueSelectorTestCase; the same on every backend here. */
START_TEST(test_register_bad_fd)
{
    sel_selector *sel = open_selector(_i);
    int fd = find_closed_descriptor();
    sel_key key;

    assert_error(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL), EBADF);
    assert_error(sel_get_key(sel, fd, &key), ENOENT);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("selectors");
    TCase *tcase = new_tcase("CPython's test_selectors.py");

    add_selector_test(tcase, test_register);
    add_selector_test(tcase, test_unregister);
    add_selector_test(tcase, test_unregister_after_fd_close);
    add_selector_test(tcase, test_unregister_after_fd_close_and_reuse);
    add_selector_test(tcase, test_unregister_after_socket_close);
    add_selector_test(tcase, test_modify);
    add_selector_test(tcase, test_modify_unregister);
    add_selector_test(tcase, test_close);
    add_selector_test(tcase, test_get_key);
    add_selector_test(tcase, test_get_map);
    add_selector_test(tcase, test_context_manager);
    add_selector_test(tcase, test_fileno);
    add_selector_test(tcase, test_register_file);
    add_selector_test(tcase, test_register_bad_fd);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
