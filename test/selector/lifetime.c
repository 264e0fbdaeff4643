/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing: which backend a program gets, what a selector takes
 * from the process and gives back, and the calls that need no selector.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(a_null_selector_is_einval_but_for_close)
{
    const sel_ready *ready = NULL;
    sel_key key;

    assert_ok(sel_close(NULL));
    assert_error(sel_open(SEL_BACKEND_DEFAULT, NULL), EINVAL);
    assert_error(sel_register(NULL, 0, SEL_EVENT_READ, NULL, NULL), EINVAL);
    assert_error(sel_modify(NULL, 0, SEL_EVENT_READ, NULL, NULL), EINVAL);
    assert_error(sel_unregister(NULL, 0), EINVAL);
    assert_error(sel_select(NULL, 0, &ready), EINVAL);
    assert_error(sel_dispatch(NULL), EINVAL);
    assert_error(sel_get_key(NULL, 0, &key), EINVAL);
    assert_error(sel_get_map(NULL, &key, 1), EINVAL);
    assert_error(sel_fileno(NULL), EINVAL);
    assert_error(sel_wakeup(NULL), EINVAL);
    assert_error(sel_after_fork(NULL), EINVAL);
    ck_assert(sel_get_timeout(NULL) == SEL_FOREVER);
    ck_assert_ptr_null(sel_backend_name(NULL));
}
END_TEST

START_TEST(each_backend_is_available_and_has_its_name)
{
    sel_selector *sel = open_selector(_i);

    ck_assert_int_eq(sel_backend_available(backend_at(_i)), 1);
    ck_assert_str_eq(sel_backend_name(sel), backend_names[_i]);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_backend_that_there_is_not_is_einval_and_not_available)
{
    sel_selector *sel = NULL;

    assert_error(sel_open((sel_backend)6, &sel), EINVAL);
    assert_error(sel_open((sel_backend)99, &sel), EINVAL);
    assert_error(sel_open((sel_backend)-1, &sel), EINVAL);
    assert_error(sel_open((sel_backend)INT_MIN, &sel), EINVAL);
    ck_assert_int_eq(sel_backend_available((sel_backend)6), 0);
    ck_assert_int_eq(sel_backend_available((sel_backend)-1), 0);
    ck_assert_ptr_null(sel);
}
END_TEST

START_TEST(a_backend_that_this_build_lacks_is_enotsup)
{
    sel_selector *sel = NULL;

    ck_assert_int_eq(sel_backend_available(SEL_BACKEND_UV), 0);
    assert_error(sel_open(SEL_BACKEND_UV, &sel), ENOTSUP);
    ck_assert_int_eq(setenv("SELKIE_BACKEND", "uv", 1), 0);
    assert_error(sel_open(SEL_BACKEND_DEFAULT, &sel), ENOTSUP);
    ck_assert_ptr_null(sel);
}
END_TEST

START_TEST(the_default_is_uv_where_there_is_one)
{
    sel_selector *sel;
    int i = 0;

    while (!sel_backend_available(backend_at(i)))
        i++;
    ck_assert_int_eq(sel_backend_available(SEL_BACKEND_DEFAULT), 1);
    assert_ok(sel_open(SEL_BACKEND_DEFAULT, &sel));
    ck_assert_str_eq(sel_backend_name(sel), backend_names[i]);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(the_environment_chooses_the_default_and_nothing_else)
{
    sel_selector *sel;

    ck_assert_int_eq(setenv("SELKIE_BACKEND", backend_names[_i], 1), 0);
    assert_ok(sel_open(SEL_BACKEND_DEFAULT, &sel));
    ck_assert_str_eq(sel_backend_name(sel), backend_names[_i]);
    assert_ok(sel_close(sel));
    for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) {
        sel = open_selector(i);
        ck_assert_str_eq(sel_backend_name(sel), backend_names[i]);
        assert_ok(sel_close(sel));
    }
}
END_TEST

START_TEST(an_unknown_name_in_the_environment_is_einval_for_the_default)
{
    static const char *const unknown[] = {"devpoll", "EPOLL", "uv ", "default", "p"};
    sel_selector *sel = NULL;

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        ck_assert_int_eq(setenv("SELKIE_BACKEND", unknown[i], 1), 0);
        assert_error(sel_open(SEL_BACKEND_DEFAULT, &sel), EINVAL);
        ck_assert_int_eq(sel_backend_available(SEL_BACKEND_DEFAULT), 0);
        ck_assert_ptr_null(sel);
        assert_ok(sel_open(SEL_BACKEND_POLL, &sel));
        assert_ok(sel_close(sel));
        sel = NULL;
    }
}
END_TEST

/* A key of each kind, waited on once, and the descriptor for other loops. */
static sel_selector *open_used_selector(int i, const int ends[2])
{
    sel_selector *sel = open_selector(i);

    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 1);
    sel_fileno(sel);
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(count_ready(sel), 1);
    return sel;
}

START_TEST(every_descriptor_of_the_library_is_close_on_exec)
{
    bool before[256];
    sel_selector *sel;
    int ends[2];

    make_socketpair(ends);
    for (int fd = 0; fd < 256; fd++)
        before[fd] = is_open(fd);
    sel = open_used_selector(_i, ends);
    for (int fd = 0; fd < 256; fd++)
        if (!before[fd] && is_open(fd))
            ck_assert_msg(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%d survives exec", fd);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void assert_flags_stay(int i, int fd)
{
    sel_selector *sel = open_selector(i);
    int flags = fcntl(fd, F_GETFL);

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    ck_assert_int_eq(fcntl(fd, F_GETFL), flags);
    count_ready(sel);
    ck_assert_int_eq(fcntl(fd, F_GETFL), flags);
    assert_ok(sel_modify(sel, fd, EVERY_EVENT, NULL, NULL));
    count_ready(sel);
    ck_assert_int_eq(fcntl(fd, F_GETFL), flags);
    assert_ok(sel_unregister(sel, fd));
    ck_assert_int_eq(fcntl(fd, F_GETFL), flags);
    assert_ok(sel_register(sel, fd, SEL_EVENT_WRITE, NULL, NULL));
    count_ready(sel);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(fcntl(fd, F_GETFL), flags);
}

/*
 * uv_poll_init() makes the open file non-blocking, and other processes may
 * share it: the shell's terminal, the other end of an inherited pipe.
 */
START_TEST(the_descriptors_flags_stay_what_they_are)
{
    for (int nonblocking = 0; nonblocking <= 1; nonblocking++) {
        int fds[7], *end = fds;

        make_pipe(end), end += 2;
        make_socketpair(end), end += 2;
        make_tcp_pair(end), end += 2;
        *end++ = make_eventfd(0);
        while (end-- > fds) {
            set_nonblocking(*end, nonblocking);
            assert_flags_stay(_i, *end);
            close(*end);
        }
    }
}
END_TEST

START_TEST(close_leaves_the_programs_descriptors_and_none_of_its_own)
{
    int before, ends[2];

    make_socketpair(ends);
    before = count_descriptors();
    for (int round = 0; round < 100; round++)
        assert_ok(sel_close(open_used_selector(_i, ends)));
    ck_assert_int_eq(count_descriptors(), before);
    put_byte(ends[1]);
    take_byte(ends[0]);
    close_pair(ends);
}
END_TEST

START_TEST(several_selectors_watch_one_descriptor_independently)
{
    int fd = make_eventfd(0);
    sel_selector *sels[BACKENDS];

    for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) {
        sels[i] = open_selector(i);
        assert_ok(sel_register(sels[i], fd, SEL_EVENT_READ, NULL, NULL));
        ck_assert_int_eq(count_ready(sels[i]), 0);
    }
    ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
    for (int i = first_backend(); i < BACKENDS; i = next_backend(i))
        ck_assert_int_eq(look(sels[i], fd), SEL_EVENT_READ);
    assert_ok(sel_unregister(sels[first_backend()], fd));
    for (int i = first_backend(); i < BACKENDS; i = next_backend(i)) {
        ck_assert_int_eq(look(sels[i], fd), i == first_backend() ? 0 : SEL_EVENT_READ);
        assert_ok(sel_close(sels[i]));
    }
    close(fd);
}
END_TEST

START_TEST(strerror_takes_either_sign_and_any_number)
{
    char positive[256];

    for (int error = 0; error < 200; error++) {
        snprintf(positive, sizeof positive, "%s", sel_strerror(error));
        ck_assert_str_eq(sel_strerror(-error), positive);
        ck_assert_str_eq(strerror(error), positive);
    }
    ck_assert_str_ne(sel_strerror(INT_MAX), "");
    ck_assert_str_ne(sel_strerror(INT_MIN), ""); /* has no positive counterpart */
}
END_TEST

START_TEST(the_version_of_headers_and_library_is_one)
{
    char version[64];

    snprintf(version, sizeof version, "%d.%d.%d", SELKIE_VERSION_MAJOR,
             SELKIE_VERSION_MINOR, SELKIE_VERSION_PATCH);
    ck_assert_str_eq(sel_version(), version);
    ck_assert(SELKIE_VERSION_ATLEAST(0, 0, 0));
    ck_assert(SELKIE_VERSION_ATLEAST(0, 0, 999));
    ck_assert(SELKIE_VERSION_ATLEAST(SELKIE_VERSION_MAJOR, SELKIE_VERSION_MINOR,
                                     SELKIE_VERSION_PATCH));
    ck_assert(!SELKIE_VERSION_ATLEAST(SELKIE_VERSION_MAJOR, SELKIE_VERSION_MINOR,
                                      SELKIE_VERSION_PATCH + 1));
    ck_assert(!SELKIE_VERSION_ATLEAST(SELKIE_VERSION_MAJOR, SELKIE_VERSION_MINOR + 1, 0));
    ck_assert(!SELKIE_VERSION_ATLEAST(SELKIE_VERSION_MAJOR + 1, 0, 0));
}
END_TEST

/* Programs are compiled against these: they never grow. */
START_TEST(key_and_pair_are_laid_out_as_published)
{
    sel_ready ready = {{3, SEL_EVENT_READ, record_call, NULL}, SEL_EVENT_READ};

    ck_assert_uint_eq(sizeof ready.key, 2 * sizeof(int) + 2 * sizeof(void *));
    ck_assert_uint_eq(sizeof ready, sizeof ready.key + sizeof(void *));
    ck_assert_int_eq(ready.key.fd, 3);
    ck_assert_int_eq(SEL_EVENT_READ, 1);
    ck_assert_int_eq(SEL_EVENT_WRITE, 2);
    ck_assert_int_eq(SEL_EVENT_EXCEPT, 4);
    ck_assert_int_eq(SEL_BACKEND_DEFAULT, 0);
    ck_assert_int_eq(SEL_BACKEND_SELECT, 4);
    ck_assert_int_eq(SEL_BACKEND_KQUEUE, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifetime");
    TCase *tcase = new_tcase("open and close");

    tcase_add_test(tcase, a_null_selector_is_einval_but_for_close);
    add_backend_test(tcase, each_backend_is_available_and_has_its_name);
    tcase_add_test(tcase, a_backend_that_there_is_not_is_einval_and_not_available);
    if (!sel_backend_available(SEL_BACKEND_UV))
        tcase_add_test(tcase, a_backend_that_this_build_lacks_is_enotsup);
    tcase_add_test(tcase, the_default_is_uv_where_there_is_one);
    add_backend_test(tcase, the_environment_chooses_the_default_and_nothing_else);
    tcase_add_test(tcase, an_unknown_name_in_the_environment_is_einval_for_the_default);
    add_backend_test(tcase, every_descriptor_of_the_library_is_close_on_exec);
    add_backend_test(tcase, the_descriptors_flags_stay_what_they_are);
    add_backend_test(tcase, close_leaves_the_programs_descriptors_and_none_of_its_own);
    tcase_add_test(tcase, several_selectors_watch_one_descriptor_independently);
    tcase_add_test(tcase, strerror_takes_either_sign_and_any_number);
    tcase_add_test(tcase, the_version_of_headers_and_library_is_one);
    tcase_add_test(tcase, key_and_pair_are_laid_out_as_published);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
