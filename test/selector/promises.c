/* SPDX-License-Identifier: MIT */
/*
 * The sentences of selectors.h about a machine with nothing left to give, and about
 * calls and strings that belong to no thread. All the others have their tests
 * elsewhere: contract/ has the list.
 */
#include "support/scarcity.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, HIGH_NUMBER = 900 };

START_TEST(open_without_descriptors_is_emfile_and_leaves_nothing)
{
    sel_selector *sel = NULL;
    int before = count_descriptors(), error = -EMFILE, room;

    for (room = 0; error == -EMFILE && room < MOST_NEEDED; room++) {
        leave_room(room);
        error = sel_open(backend_at(_i), &sel);
        leave_room(AS_BEFORE);
        ck_assert(error == 0 || error == -EMFILE);
        ck_assert((sel != NULL) == (error == 0));
        if (error < 0)
            ck_assert_int_eq(count_descriptors(), before);
    }
    ck_assert_int_gt(room, 1);
    ck_assert_int_eq(error, 0);
    assert_quiet(sel, 0.001);
    assert_ok(sel_close(sel));
}
END_TEST

/* The library's own may have any number, because a program may have a thousand open. */
START_TEST(without_a_low_number_every_backend_opens_and_watches_low_ones)
{
    int first = make_eventfd(1), last = first, *fds = malloc(FD_SETSIZE * sizeof *fds);
    int count = 0;
    sel_selector *sel = NULL;

    raise_descriptor_limit();
    while (last < FD_SETSIZE - 1) {
        last = fcntl(first, F_DUPFD_CLOEXEC, 0);
        ck_assert_int_gt(last, first);
        fds[count++] = last;
    }
    assert_ok(sel_open(backend_at(_i), &sel));
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, 5, NULL), 0);
    assert_quiet(sel, 0.02);
    assert_ok(sel_register(sel, first, READ, NULL, NULL));
    ck_assert_int_eq(wait_for(sel, first), READ);
    assert_ok(sel_close(sel));
    while (count > 0)
        close(fds[--count]);
    close(first);
    free(fds);
}
END_TEST

START_TEST(fileno_without_descriptors_is_emfile_until_there_are_some)
{
    sel_selector *sel = open_selector(_i);
    int fd, ready = make_eventfd(1);
    bool has_one = _i < FIRST_WITHOUT_FILENO;

    assert_ok(sel_register(sel, ready, READ, NULL, NULL));
    leave_room(0);
    fd = sel_fileno(sel);
    leave_room(AS_BEFORE);
    ck_assert_int_eq(fd, has_one ? -EMFILE : -ENOTSUP);
    ck_assert_int_eq(look(sel, ready), READ);
    if (has_one) {
        fd = sel_fileno(sel);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(sel_fileno(sel), fd);
    }
    assert_ok(sel_close(sel));
    ck_assert(!has_one || !is_open(fd)); /* it was the selector's */
    close(ready);
}
END_TEST

static void follow_without_descriptors(sel_selector *sel, int ready)
{
    int error = -EMFILE, room;

    for (room = 0; error == -EMFILE && room < MOST_NEEDED; room++) {
        leave_room(room);
        error = sel_after_fork(sel);
        leave_room(AS_BEFORE);
        ck_assert(error == 0 || error == -EMFILE);
        if (error < 0)
            assert_error(sel_select(sel, 0, NULL), ECHILD);
    }
    ck_assert_int_gt(room, 1);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(look(sel, ready), READ);
    assert_ok(sel_close(sel));
}

START_TEST(a_child_without_descriptors_is_echild_until_it_can_follow)
{
    sel_selector *sel = open_selector(_i);
    int ready = make_eventfd(1);
    pid_t pid;

    assert_ok(sel_register(sel, ready, READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ready), READ);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        follow_without_descriptors(sel, ready);
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(look(sel, ready), READ);
    assert_ok(sel_close(sel));
    close(ready);
}
END_TEST

/*
 * A descriptor that was closed before it was unregistered, while a duplicate keeps its
 * file open: `epoll` and `uv` need a descriptor to get rid of it.
 */
START_TEST(a_wait_without_descriptors_keeps_every_key)
{
    sel_selector *sel = open_selector(_i);
    int healthy[2], ghost = make_eventfd(1), duplicate = dup(ghost), count;

    make_pipe(healthy);
    assert_ok(sel_register(sel, healthy[0], READ, NULL, NULL));
    assert_ok(sel_register(sel, ghost, READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ghost), READ);
    close(ghost);
    assert_ok(sel_unregister(sel, ghost));
    put_byte(healthy[1]);
    leave_room(0);
    count = sel_select(sel, 0, NULL);
    leave_room(AS_BEFORE);
    ck_assert(count == 1 || count == -EMFILE);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
    ck_assert_int_eq(look(sel, healthy[0]), READ);
    take_byte(healthy[0]);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close(duplicate);
    close_pair(healthy);
}
END_TEST

/* --- memory --- */

static void never(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
    ck_abort_msg("a task that was refused ran");
}

/* No ck_assert() while there is no memory: check needs some. */
START_TEST(without_memory_calls_are_enomem_and_change_nothing)
{
    enum { OPEN, REGISTER, SOON, THREADSAFE, SELECT, MODIFY, CALLS };
    int errors[CALLS], ready, far;
    struct rlimit limit;
    sel_selector *sel, *second = NULL;
    hoard *all;

    if (!memory_can_be_taken())
        return;
    sel = open_selector(_i);
    ready = make_eventfd(1);
    far = fcntl(ready, F_DUPFD_CLOEXEC, HIGH_NUMBER);
    assert_ok(sel_register(sel, ready, READ, NULL, NULL));
    all = take_all(&limit);
    errors[OPEN] = sel_open(backend_at(_i), &second);
    errors[REGISTER] = sel_register(sel, far, READ, NULL, NULL);
    errors[SOON] = sel_call_soon(sel, never, NULL);
    errors[THREADSAFE] = sel_call_soon_threadsafe(sel, never, NULL);
    errors[SELECT] = sel_select(sel, 0, NULL);
    errors[MODIFY] = sel_modify(sel, ready, EVERY_EVENT, NULL, NULL);
    free_all(all, &limit);
    for (int i = OPEN; i <= THREADSAFE; i++)
        ck_assert_msg(errors[i] == -ENOMEM, "call %d: %d", i, errors[i]);
    ck_assert_int_eq(errors[SELECT], 1); /* it takes none */
    ck_assert_int_eq(errors[MODIFY], 0);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    assert_ok(sel_register(sel, far, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    assert_ok(sel_close(sel));
    close(ready);
    close(far);
}
END_TEST

/* --- what belongs to no thread --- */

enum { ROUNDS = 200 };

/* Calls everything whose `Thread:` is `any`. Returns how many answers were wrong. */
static int use_from_any_thread(sel_selector *sel, sel_backend backend, const char *name)
{
    sel_selector *own = NULL;
    int wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        wrong += sel_backend_name(sel) != name; /* one string */
        wrong += sel_backend_available(backend) != 1;
        wrong += strcmp(sel_strerror(-EBADF), strerror(EBADF)) != 0;
        wrong += strcmp(sel_version(), "") == 0;
        wrong += sel_time(sel) > sel_time(NULL);
        wrong += sel_wakeup(sel) != 0;
        if (i % 20 == 0) {
            wrong += sel_open(backend, &own) != 0;
            wrong += sel_select(own, 0, NULL) != 0;
            wrong += sel_close(own) != 0;
        }
    }
    return wrong;
}

typedef struct {
    sel_selector *sel;
    sel_backend backend;
    const char *name;
    int wrong;
    int end; /* written when all is done */
} user;

static void *use_beside(void *data)
{
    user *self = data;

    self->wrong = use_from_any_thread(self->sel, self->backend, self->name);
    put_byte(self->end);
    return NULL;
}

START_TEST(what_any_thread_may_call_is_safe_beside_a_wait)
{
    sel_selector *sel = open_selector(_i);
    user self = {sel, backend_at(_i), sel_backend_name(sel), 0, 0};
    pthread_t thread;
    int ends[2], count;

    make_pipe(ends);
    self.end = ends[1];
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(pthread_create(&thread, NULL, use_beside, &self), 0);
    do
        count = sel_select(sel, SEL_FOREVER, NULL);
    while (count == 0); /* woken */
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(self.wrong, 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void *ask_for_another_message(void *unused)
{
    (void)unused;
    return strcmp(sel_strerror(-EPERM), strerror(EPERM)) == 0 ? NULL : "another message";
}

/* The message for an unknown number is made when it is asked for. */
START_TEST(names_and_messages_stay_what_they_are)
{
    sel_selector *sel = open_selector(_i);
    const char *name = sel_backend_name(sel), *version = sel_version();
    const char *message = sel_strerror(-9999);
    char name_was[16], version_was[32], message_was[128];
    pthread_t thread;
    void *wrong;

    stpcpy(name_was, name);
    ck_assert_uint_lt(strlen(version), sizeof version_was);
    stpcpy(version_was, version);
    ck_assert_uint_lt(strlen(message), sizeof message_was);
    stpcpy(message_was, message);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_for_another_message, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, &wrong), 0);
    ck_assert_ptr_null(wrong);
    assert_ok(sel_close(sel));
    ck_assert_str_eq(message, message_was);
    ck_assert_str_eq(name, name_was); /* it outlives the selector */
    ck_assert_str_eq(version, version_was);
    ck_assert_ptr_eq(sel_version(), version);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("promises");
    TCase *tcase = new_tcase("promises");

    add_backend_test(tcase, open_without_descriptors_is_emfile_and_leaves_nothing);
    if (may_open(FD_SETSIZE + 64, "without a low number"))
        add_backend_test(tcase,
                         without_a_low_number_every_backend_opens_and_watches_low_ones);
    add_backend_test(tcase, fileno_without_descriptors_is_emfile_until_there_are_some);
    add_backend_test(tcase, a_child_without_descriptors_is_echild_until_it_can_follow);
    add_backend_test(tcase, a_wait_without_descriptors_keeps_every_key);
    if (may_open(HIGH_NUMBER + 1, "without memory"))
        add_backend_test(tcase, without_memory_calls_are_enomem_and_change_nothing);
    add_backend_test(tcase, what_any_thread_may_call_is_safe_beside_a_wait);
    add_backend_test(tcase, names_and_messages_stay_what_they_are);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
