/* SPDX-License-Identifier: MIT */
/*
 * What every call promises about its arguments, its errors and what it leaves alone:
 * open, register, modify, unregister, the map and close. Each test is named after the
 * sentence it proves.
 */
#include "support/os.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(register_returns_and_get_key_gives_the_same)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);
    sel_key key;

    for (int events = 1; events <= EVERY_EVENT; events++) {
        assert_ok(sel_register(sel, fd, events, record_call, &key));
        assert_ok(sel_get_key(sel, fd, &key));
        ck_assert_int_eq(key.fd, fd);
        ck_assert_int_eq(key.events, events);
        ck_assert(key.callback == record_call);
        ck_assert_ptr_eq(key.data, &key);
        assert_ok(sel_unregister(sel, fd));
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(an_empty_or_unknown_mask_is_refused_and_changes_nothing)
{
    static const int wrong[] = {0, 8, 9, 15, 16, 999999, -1, INT_MIN, INT_MAX};
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1), other = make_eventfd(0);
    sel_key key;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &fd));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_error(sel_register(sel, other, wrong[i], NULL, NULL), EINVAL);
        if (wrong[i] != 0)
            assert_error(sel_modify(sel, fd, wrong[i], NULL, NULL), EINVAL);
    }
    ck_assert_int_eq(sel_get_map(sel, &key, 1), 1);
    ck_assert_int_eq(key.events, SEL_EVENT_READ);
    ck_assert(key.callback == record_call);
    ck_assert_ptr_eq(key.data, &fd);
    ck_assert_int_eq(look(sel, fd), SEL_EVENT_READ);
    assert_ok(sel_close(sel));
    close(fd);
    close(other);
}
END_TEST

static long count_mapped_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld", &pages), 1);
    fclose(file);
    return pages;
}

/* A table indexed by descriptor would take 16 GiB if it grew before checking. */
START_TEST(a_number_that_is_no_descriptor_takes_no_memory)
{
    sel_selector *sel = open_selector(_i);
    long before = count_mapped_pages();
    int error = sel_register(sel, INT_MAX, SEL_EVENT_READ, NULL, NULL);

    /* On select there are both reasons. */
    if (error != -ERANGE || _i != BACKENDS - 1)
        ck_assert_int_eq(error, -EBADF);
    assert_error(sel_register(sel, -1, SEL_EVENT_READ, NULL, NULL), EINVAL);
    assert_error(sel_register(sel, INT_MIN, SEL_EVENT_READ, NULL, NULL), EINVAL);
    assert_error(sel_modify(sel, -1, SEL_EVENT_READ, NULL, NULL), EINVAL);
    assert_error(sel_modify(sel, INT_MAX, SEL_EVENT_READ, NULL, NULL), ENOENT);
    assert_error(sel_unregister(sel, -1), EINVAL);
    assert_error(sel_unregister(sel, INT_MAX), ENOENT);
    ck_assert_int_le(count_mapped_pages() - before, 256);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_second_register_is_refused_and_the_first_goes_on_firing)
{
    sel_selector *sel = open_selector(_i);
    call_record first = {0}, second = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &first));
    assert_error(sel_register(sel, fd, SEL_EVENT_WRITE, record_call, &second), EEXIST);
    ck_assert_int_eq(look(sel, fd), SEL_EVENT_READ);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 0);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/* Registered ones around it: a number in the middle of the table. */
START_TEST(an_unknown_descriptor_is_enoent_and_nothing_else_is)
{
    sel_selector *sel = open_selector(_i);
    int low = make_eventfd(0), unknown = make_eventfd(0), high = make_eventfd(0);
    sel_key key;

    assert_ok(sel_register(sel, low, SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, high, SEL_EVENT_READ, NULL, NULL));
    assert_error(sel_modify(sel, unknown, SEL_EVENT_READ, NULL, NULL), ENOENT);
    assert_error(sel_modify(sel, unknown, 0, NULL, NULL), ENOENT);
    assert_error(sel_unregister(sel, unknown), ENOENT);
    assert_error(sel_get_key(sel, unknown, &key), ENOENT);
    close(unknown); /* closed as well: still the table's answer */
    assert_error(sel_modify(sel, unknown, SEL_EVENT_READ, NULL, NULL), ENOENT);
    assert_error(sel_unregister(sel, unknown), ENOENT);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 2);
    assert_ok(sel_close(sel));
    close(low);
    close(high);
}
END_TEST

/* The library's own descriptors are watched too, but they are nobody's keys. */
START_TEST(the_librarys_own_descriptors_are_never_shown)
{
    bool before[256];
    sel_selector *sel;
    sel_key key;

    for (int fd = 0; fd < 256; fd++)
        before[fd] = is_open(fd);
    sel = open_selector(_i);
    sel_fileno(sel);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    for (int fd = 0; fd < 256; fd++) {
        if (before[fd] || !is_open(fd))
            continue;
        assert_error(sel_get_key(sel, fd, &key), ENOENT);
        assert_error(sel_modify(sel, fd, SEL_EVENT_READ, NULL, NULL), ENOENT);
        assert_error(sel_unregister(sel, fd), ENOENT);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(what_is_wrong_is_said_in_one_order_on_every_backend)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0), file = open_always_ready();

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    assert_error(sel_register(sel, fd, 0, NULL, NULL), EINVAL);
    assert_error(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL), EEXIST);
    assert_error(sel_register(sel, file, 8, NULL, NULL), EINVAL);
    close(fd);
    assert_error(sel_register(sel, fd, 8, NULL, NULL), EINVAL);
    assert_error(sel_modify(sel, fd, 8, NULL, NULL), EINVAL);
    assert_ok(sel_unregister(sel, fd));
    assert_error(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL), EBADF);
    assert_ok(sel_close(sel));
    close(file);
}
END_TEST

typedef struct {
    int modified;
    int keys_left;
} refusal;

/* `file` gets the number before the change; -1: nothing does. */
static refusal modify_after_replacement(int i, int file)
{
    sel_selector *sel = open_selector(i);
    int fd = make_eventfd(1);
    refusal result;

    assert_ok(sel_register(sel, fd, SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(look(sel, fd), SEL_EVENT_WRITE);
    close(fd);
    if (file >= 0)
        ck_assert_int_eq(dup3(file, fd, O_CLOEXEC), fd);
    result.modified = sel_modify(sel, fd, SEL_EVENT_READ | SEL_EVENT_WRITE, NULL, NULL);
    result.keys_left = sel_get_map(sel, NULL, 0);
    assert_quiet(sel, 0.02);
    assert_error(sel_unregister(sel, fd), result.keys_left == 0 ? ENOENT : 0);
    assert_ok(sel_close(sel));
    if (file >= 0)
        close(fd);
    return result;
}

START_TEST(a_modify_that_the_kernel_refuses_ends_alike_on_every_backend)
{
    int files[] = {-1, open_regular_file(), open_always_ready()};

    for (int j = 0; j < 3; j++) {
        refusal first = modify_after_replacement(first_backend(), files[j]);

        if (j == 0)
            ck_assert_int_eq(first.modified, -EBADF);
        ck_assert_int_eq(first.keys_left, first.modified == 0 ? 1 : 0);
        for (int i = next_backend(first_backend()); i < BACKENDS; i = next_backend(i)) {
            refusal other = modify_after_replacement(i, files[j]);

            ck_assert_int_eq(other.modified, first.modified);
            ck_assert_int_eq(other.keys_left, first.keys_left);
        }
        close(files[j]);
    }
}
END_TEST

START_TEST(files_that_are_always_ready_are_eperm_and_leave_no_key)
{
    int files[] = {
        open_regular_file(),
        open_closed_on_exec("/"),
        open_always_ready(),
    };
    sel_selector *sel = open_selector(_i);

    for (int j = 0; j < 3; j++) {
        int flags = fcntl(files[j], F_GETFL);
        sel_key key;

        for (int events = 1; events <= EVERY_EVENT; events++)
            assert_error(sel_register(sel, files[j], events, NULL, NULL), EPERM);
        assert_error(sel_get_key(sel, files[j], &key), ENOENT);
        ck_assert_int_eq(fcntl(files[j], F_GETFL), flags);
        assert_quiet(sel, 0.001);
        close(files[j]);
    }
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* FD_SET past FD_SETSIZE writes over the stack: eventmachine #501, getdns #222. */
START_TEST(what_select_cannot_hold_is_erange_there_and_fine_elsewhere)
{
    sel_selector *sel = open_selector(_i);
    bool is_select = strcmp(sel_backend_name(sel), "select") == 0;
    int fd = make_eventfd(1), highest, beyond;
    sel_key key;

    raise_descriptor_limit();
    highest = fcntl(fd, F_DUPFD_CLOEXEC, 1023);
    beyond = fcntl(fd, F_DUPFD_CLOEXEC, 1024);
    ck_assert_int_eq(highest, 1023);
    ck_assert_int_eq(beyond, 1024);
    assert_ok(sel_register(sel, highest, SEL_EVENT_READ, NULL, NULL));
    ck_assert_int_eq(look(sel, highest), SEL_EVENT_READ);
    assert_error(sel_register(sel, beyond, SEL_EVENT_READ, NULL, NULL),
                 is_select ? ERANGE : 0);
    assert_error(sel_get_key(sel, beyond, &key), is_select ? ENOENT : 0);
    ck_assert_int_eq(count_ready(sel), is_select ? 1 : 2);
    assert_ok(sel_close(sel));
    close(beyond);
    close(highest);
    close(fd);
}
END_TEST

START_TEST(get_map_copies_up_to_its_capacity_in_ascending_order)
{
    enum { KEYS = 100 };
    sel_selector *sel = open_selector(_i);
    int fds[KEYS];
    sel_key keys[KEYS + 1];

    for (int i = 0; i < KEYS; i++)
        fds[i] = make_eventfd(0);
    for (int i = 0; i < KEYS; i++) /* 37 is prime to 100: every one, mixed */
        assert_ok(sel_register(sel, fds[i * 37 % KEYS], SEL_EVENT_READ, NULL, &fds[i]));
    for (size_t capacity = 0; capacity <= KEYS; capacity += 25) {
        keys[capacity].fd = -7;
        ck_assert_int_eq(sel_get_map(sel, keys, capacity), KEYS);
        ck_assert_int_eq(keys[capacity].fd, -7);
        for (size_t i = 0; i < capacity; i++)
            ck_assert_int_eq(keys[i].fd, fds[i]);
    }
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), KEYS);
    assert_error(sel_get_map(sel, NULL, 1), EINVAL);
    for (int i = 0; i < KEYS; i++) {
        ck_assert_ptr_eq(keys[i * 37 % KEYS].data, &fds[i]);
        assert_ok(sel_unregister(sel, fds[i]));
        ck_assert_int_eq(sel_get_map(sel, NULL, 0), KEYS - 1 - i);
        close(fds[i]);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(outputs_are_untouched_on_failure)
{
    sel_selector *sel = open_selector(_i), *other = sel;
    const sel_ready mark = {.mask = 0}, *ready = &mark;
    sel_key key = {-7, -7, record_call, &key};

    assert_error(sel_select(sel, (double)NAN, &ready), EINVAL);
    ck_assert_ptr_eq(ready, &mark);
    assert_error(sel_get_key(sel, 5, &key), ENOENT);
    assert_error(sel_get_key(sel, -1, &key), EINVAL);
    ck_assert_int_eq(key.fd, -7);
    ck_assert_int_eq(key.events, -7);
    ck_assert(key.callback == record_call);
    ck_assert_ptr_eq(key.data, &key);
    assert_error(sel_open((sel_backend)99, &other), EINVAL);
    ck_assert_ptr_eq(other, sel);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("contract");
    TCase *tcase = new_tcase("arguments and errors");

    add_backend_test(tcase, register_returns_and_get_key_gives_the_same);
    add_backend_test(tcase, an_empty_or_unknown_mask_is_refused_and_changes_nothing);
    add_backend_test(tcase, a_number_that_is_no_descriptor_takes_no_memory);
    add_backend_test(tcase, a_second_register_is_refused_and_the_first_goes_on_firing);
    add_backend_test(tcase, an_unknown_descriptor_is_enoent_and_nothing_else_is);
    add_backend_test(tcase, the_librarys_own_descriptors_are_never_shown);
    add_backend_test(tcase, what_is_wrong_is_said_in_one_order_on_every_backend);
    tcase_add_test(tcase, a_modify_that_the_kernel_refuses_ends_alike_on_every_backend);
    add_backend_test(tcase, files_that_are_always_ready_are_eperm_and_leave_no_key);
    if (may_open(1025, "what select cannot hold"))
        add_backend_test(tcase, what_select_cannot_hold_is_erange_there_and_fine_elsewhere);
    add_backend_test(tcase, get_map_copies_up_to_its_capacity_in_ascending_order);
    add_backend_test(tcase, outputs_are_untouched_on_failure);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
