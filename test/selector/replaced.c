/* SPDX-License-Identifier: MIT */
/*
 * A registered number that is another file now. libpq and mosquitto close a descriptor
 * and open the next one, which gets the number, inside a callback; or of two libraries
 * in one program, one closes its socket and the other's gets its number. The new file
 * got -EEXIST, or 0 and silence, which is the one wrong answer: CPython raises; bare
 * libuv, libev and poll report.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

/* What has happened between the first registration and the second. */
typedef enum { NOTHING, WAITED, CHANGED, PAUSED, FOUND_GONE, STAGES } stage;

/* Registers `fd`, which is readable, takes it as far as `reached`, and replaces it. */
static int replace_at(sel_selector *sel, int fd, stage reached)
{
    assert_ok(sel_register(sel, fd, READ, record_call, NULL));
    if (reached != NOTHING)
        ck_assert_int_eq(look(sel, fd), READ);
    if (reached == CHANGED || reached == FOUND_GONE)
        assert_ok(sel_modify(sel, fd, READ | WRITE, NULL, NULL));
    if (reached == PAUSED)
        assert_ok(sel_modify(sel, fd, 0, NULL, NULL));
    if (reached == FOUND_GONE) {
        close(fd);
        ck_assert_int_eq(look(sel, fd), 0); /* telling the change finds it out */
        move_descriptor(open_regular_file(), fd);
    }
    return replace_by_pipe(fd);
}

START_TEST(the_new_file_takes_the_old_keys_place)
{
    for (stage reached = NOTHING; reached < STAGES; reached++) {
        sel_selector *sel = open_selector(_i);
        call_record record = {0};
        int ends[2], other_end;

        make_socketpair(ends);
        put_byte(ends[1]);
        other_end = replace_at(sel, ends[0], reached);
        assert_ok(sel_register(sel, ends[0], READ, record_call, &record));
        ck_assert_int_eq(sel_dispatch(sel), 0); /* a pair of the old key's is dead */
        ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
        ck_assert_int_eq(look(sel, ends[0]), READ);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        ck_assert_int_eq(record.calls, 1);
        assert_error(sel_register(sel, ends[0], READ, NULL, NULL), EEXIST);
        assert_ok(sel_unregister(sel, ends[0]));
        assert_quiet(sel, 0.004);
        assert_ok(sel_close(sel));
        close_pair(ends);
        close(other_end);
    }
}
END_TEST

START_TEST(what_cannot_be_watched_leaves_no_key)
{
    sel_selector *sel = open_selector(_i);
    sel_key key;
    int ends[2];

    make_pipe(ends);
    assert_ok(sel_register(sel, ends[0], READ, record_call, NULL));
    assert_error(sel_register(sel, ends[0], READ | 64, NULL, NULL), EINVAL);
    close(ends[0]);
    assert_error(sel_register(sel, ends[0], 0, NULL, NULL), EINVAL);
    assert_ok(sel_get_key(sel, ends[0], &key));
    assert_error(sel_register(sel, ends[0], READ, NULL, NULL), EBADF);
    assert_error(sel_get_key(sel, ends[0], &key), ENOENT);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
    close(ends[1]);
}
END_TEST

START_TEST(modify_says_ebadf_when_it_can_know_and_removes_the_key)
{
    for (stage reached = NOTHING; reached < STAGES; reached++) {
        sel_selector *sel = open_selector(_i);
        int ends[2], other_end;
        sel_key key;

        make_socketpair(ends);
        put_byte(ends[1]);
        other_end = replace_at(sel, ends[0], reached);
        if (reached != FOUND_GONE)
            assert_ok(sel_modify(sel, ends[0], 0, NULL, NULL));
        assert_error(sel_modify(sel, ends[0], reached == FOUND_GONE ? 0 : EVERY_EVENT,
                                record_call, NULL), EBADF);
        assert_error(sel_get_key(sel, ends[0], &key), ENOENT);
        assert_quiet(sel, 0.004);
        assert_ok(sel_register(sel, ends[0], READ, record_call, NULL));
        ck_assert_int_eq(look(sel, ends[0]), READ);
        assert_ok(sel_close(sel));
        close_pair(ends);
        close(other_end);
    }
}
END_TEST

/* What an adapter for a library does: "modify it, else register it". */
static void reconnect_cb(sel_selector *sel, const sel_key *key, int mask)
{
    static call_record calls;
    int *other_end = key->data, fd = key->fd;

    (void)mask;
    *other_end = replace_by_pipe(fd);
    assert_error(sel_modify(sel, fd, READ | WRITE, record_call, NULL), EBADF);
    ck_assert(key->callback == NULL);
    ck_assert_int_eq(key->events, 0);
    ck_assert_ptr_eq(key->data, other_end);
    ck_assert_int_eq(key->fd, fd);
    assert_ok(sel_register(sel, fd, READ, record_call, &calls));
    ck_assert(key->callback == NULL); /* it is not this callback's */
}

START_TEST(an_adapter_that_reconnects_in_its_callback_is_told)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int ends[2], other_end;

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, reconnect_cb, &other_end));
    ck_assert_int_eq(wait_for(sel, ends[0]), READ);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    assert_ok(sel_modify(sel, ends[0], READ, record_call, &record));
    ck_assert_int_eq(wait_for(sel, ends[0]), READ);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.mask, READ);
    assert_ok(sel_close(sel));
    close_pair(ends);
    close(other_end);
}
END_TEST

typedef struct {
    int fds[2];
    int calls;
} pair_of_keys;

/* Whichever is called first removes the other, then itself. */
static void unregister_both_cb(sel_selector *sel, const sel_key *key, int mask)
{
    pair_of_keys *both = key->data;
    int other = both->fds[both->fds[0] == key->fd];

    (void)mask;
    both->calls++;
    ck_assert(key->callback == unregister_both_cb);
    assert_ok(sel_unregister(sel, other));
    ck_assert(key->callback == unregister_both_cb);
    ck_assert_int_eq(key->events, READ);
    assert_ok(sel_unregister(sel, key->fd));
    ck_assert(key->callback == NULL);
    ck_assert_int_eq(key->events, 0);
    ck_assert_ptr_eq(key->data, both);
}

START_TEST(a_callback_sees_that_its_key_is_gone)
{
    sel_selector *sel = open_selector(_i);
    pair_of_keys both = {.fds = {make_eventfd(1), make_eventfd(1)}};

    for (int i = 0; i < 2; i++)
        assert_ok(sel_register(sel, both.fds[i], READ, unregister_both_cb, &both));
    ck_assert_int_eq(count_ready(sel), 2);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(both.calls, 1);
    assert_ok(sel_close(sel));
    close_pair(both.fds);
}
END_TEST

/*
 * All eventfds and epoll sets share one inode, so by its file the wake-up of the second
 * selector looked like the eventfd that the first had a key for: that key's callback
 * ate what should have woken the second, whose sel_close() then waited for ever.
 */
START_TEST(a_number_that_is_another_selectors_now_is_not_the_programs)
{
    sel_selector *sel = open_selector(_i), *other;
    call_record record = {0};
    sel_key key;
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, record_call, &record));
    ck_assert_int_eq(look(sel, fd), READ);
    close(fd);
    other = open_selector(_i);
    ck_assert(is_open(fd)); /* the other's by now */
    assert_ok(sel_wakeup(other));
    assert_quiet(sel, 0.004);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    assert_error(sel_modify(sel, fd, READ | WRITE, record_call, &record), EBADF);
    assert_error(sel_get_key(sel, fd, &key), ENOENT);
    ck_assert_int_eq(sel_select(other, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(record.calls, 0);
    assert_ok(sel_close(other));
    assert_ok(sel_close(sel));
}
END_TEST

static void count_done(sel_selector *sel, void *data, int status)
{
    (void)sel;
    (void)status;
    ++*(int *)data;
}

static void work(void *data)
{
    (void)data;
}

/* The same for each descriptor that a first job opens. */
START_TEST(nor_are_those_that_a_job_opens)
{
    sel_selector *sel = open_selector(_i), *other = open_selector(_i);
    call_record record = {0};
    int fds[8], done = 0;

    for (int i = 0; i < 8; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, record_call, &record));
    }
    ck_assert_int_eq(count_ready(sel), 8);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    for (int i = 0; i < 20; i++)
        assert_ok(sel_run_in_executor(other, work, count_done, &done));
    while (done < 20) {
        ck_assert_int_ge(sel_select(other, 0.01, NULL), 0);
        ck_assert_int_eq(count_ready(sel), 0);
        sel_dispatch(other);
    }
    ck_assert_int_eq(sel_dispatch(sel), 0);
    assert_ok(sel_close(other));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(the_wakeup_is_nobodys_to_register)
{
    bool before[64];
    sel_selector *sel;
    int refused = 0;

    for (int fd = 0; fd < 64; fd++)
        before[fd] = is_open(fd);
    sel = open_selector(_i);
    for (int fd = 0; fd < 64; fd++)
        if (!before[fd] && is_open(fd))
            refused += sel_register(sel, fd, READ, NULL, NULL) == -EEXIST;
    ck_assert_int_ge(refused, 1);
    assert_ok(sel_wakeup(sel));
    ck_assert_int_ge(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* The library's number that sel_fileno() returns can be a key like any other. */
START_TEST(a_selectors_own_descriptor_may_be_a_key)
{
    sel_selector *sel = open_selector(_i), *inner = open_selector(_i);
    int fd = sel_fileno(inner), ready = make_eventfd(1);

    if (fd >= 0) {
        assert_ok(sel_register(sel, fd, READ, record_call, NULL));
        assert_error(sel_register(sel, fd, READ, NULL, NULL), EEXIST);
        assert_ok(sel_register(inner, ready, READ, record_call, NULL));
        ck_assert_int_eq(count_ready(inner), 1);
        ck_assert_int_eq(look(sel, fd), READ);
        assert_ok(sel_modify(sel, fd, READ | WRITE, NULL, NULL));
        assert_ok(sel_close(inner));
        assert_quiet(sel, 0.004);
    } else {
        assert_ok(sel_close(inner));
    }
    assert_ok(sel_close(sel));
    close(ready);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replaced");
    TCase *tcase = new_tcase("replaced");

    add_backend_test(tcase, the_new_file_takes_the_old_keys_place);
    add_backend_test(tcase, what_cannot_be_watched_leaves_no_key);
    add_backend_test(tcase, modify_says_ebadf_when_it_can_know_and_removes_the_key);
    add_backend_test(tcase, an_adapter_that_reconnects_in_its_callback_is_told);
    add_backend_test(tcase, a_callback_sees_that_its_key_is_gone);
    add_backend_test(tcase, a_number_that_is_another_selectors_now_is_not_the_programs);
    if (sel_backend_available(SEL_BACKEND_UV))
        add_backend_test(tcase, nor_are_those_that_a_job_opens);
    add_backend_test(tcase, the_wakeup_is_nobodys_to_register);
    add_backend_test(tcase, a_selectors_own_descriptor_may_be_a_key);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
