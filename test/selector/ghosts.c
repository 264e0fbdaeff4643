/* SPDX-License-Identifier: MIT */
/*
 * epoll watches open files, not numbers. If a descriptor is closed while it is
 * registered, and a duplicate or another process keeps its file open, it can never be
 * removed from the set: its data wakes every wait for ever, and reaches whoever gets
 * the number next. CPython, libuv, libevent and Redis's ae burn a core from then on.
 * Here no wait may notice, once the key is gone.
 */
#include "support/os.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, EXCEPT = SEL_EVENT_EXCEPT };

/* What keeps the file open. */
typedef enum { A_DUPLICATE, A_CHILD, HOLDERS } holder;

typedef struct {
    int fd;      /* the number, closed */
    int peer;    /* the pipe's other end */
    int copy;    /* the duplicate, or -1 */
    pid_t child; /* the process that holds one, or 0 */
    int leash;   /* closing it ends the child */
} ghost;

/* A child that keeps the parent's descriptors until the leash is released. */
static pid_t fork_holder(int *ret_leash)
{
    int ends[2];
    char byte;
    pid_t pid;

    make_pipe(ends);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(ends[1]);
        while (read(ends[0], &byte, 1) < 0)
            continue;
        _exit(0);
    }
    close(ends[0]);
    *ret_leash = ends[1];
    return pid;
}

/* Close a registered descriptor while something keeps its file open. */
static void hold_and_close(ghost *held, holder by)
{
    held->copy = -1;
    held->child = 0;
    if (by == A_DUPLICATE)
        held->copy = fcntl(held->fd, F_DUPFD_CLOEXEC, 0);
    else
        held->child = fork_holder(&held->leash);
    close(held->fd);
}

/* A pipe's read end with unread data, waited for once, then closed but held. */
static ghost make_ghost(sel_selector *sel, holder by)
{
    ghost made;
    int ends[2];

    make_pipe(ends);
    put_byte(ends[1]);
    made.fd = ends[0];
    made.peer = ends[1];
    assert_ok(sel_register(sel, made.fd, READ, NULL, NULL));
    ck_assert_int_eq(look(sel, made.fd), READ);
    hold_and_close(&made, by);
    return made;
}

static void let_go(const ghost *held)
{
    close(held->peer);
    if (held->copy >= 0)
        close(held->copy);
    if (held->child == 0)
        return;
    close(held->leash);
    assert_child_succeeds(held->child);
}

START_TEST(a_ghost_wakes_no_wait_and_costs_no_time)
{
    for (holder by = A_DUPLICATE; by < HOLDERS; by++) {
        sel_selector *sel = open_selector(_i);
        ghost held = make_ghost(sel, by);

        assert_ok(sel_unregister(sel, held.fd));
        assert_quiet(sel, 0.1);
        put_byte(held.peer);
        assert_quiet(sel, 0.1);
        assert_ok(sel_close(sel));
        let_go(&held);
    }
}
END_TEST

/* While it is registered the kernel may report it, but the others must be reported too. */
START_TEST(before_it_is_unregistered_it_keeps_nobody_from_being_served)
{
    for (holder by = A_DUPLICATE; by < HOLDERS; by++) {
        sel_selector *sel = open_selector(_i);
        int healthy = make_eventfd(1);
        ghost held = make_ghost(sel, by);

        assert_ok(sel_register(sel, healthy, READ, NULL, NULL));
        for (int round = 0; round < 10; round++)
            ck_assert_int_eq(look(sel, healthy), READ);
        assert_ok(sel_unregister(sel, held.fd));
        for (int round = 0; round < 10; round++) {
            ck_assert_int_eq(look(sel, healthy), READ);
            ck_assert_int_eq(count_ready(sel), 1);
        }
        ck_assert_int_eq(read(healthy, &(uint64_t){0}, 8), 8);
        assert_quiet(sel, 0.02);
        assert_ok(sel_close(sel));
        let_go(&held);
        close(healthy);
    }
}
END_TEST

START_TEST(the_number_registered_again_sees_only_its_own_file)
{
    for (holder by = A_DUPLICATE; by < HOLDERS; by++) {
        sel_selector *sel = open_selector(_i);
        call_record record = {0};
        ghost held;
        int ends[2];

        make_socketpair(ends);
        held = make_ghost(sel, by);
        move_descriptor(ends[0], held.fd);
        assert_ok(sel_unregister(sel, held.fd));
        assert_ok(sel_register(sel, held.fd, READ, record_call, &record));
        assert_quiet(sel, 0.02);
        put_byte(held.peer); /* the ghost's data */
        assert_quiet(sel, 0.02);
        put_byte(ends[1]); /* its own */
        ck_assert_int_eq(look(sel, held.fd), READ);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        take_byte(held.fd);
        assert_quiet(sel, 0.02);
        ck_assert_int_eq(record.calls, 1);
        assert_ok(sel_close(sel));
        close(held.fd);
        close(ends[1]);
        let_go(&held);
    }
}
END_TEST

START_TEST(a_key_that_modify_removed_leaves_no_ghost)
{
    for (holder by = A_DUPLICATE; by < HOLDERS; by++) {
        sel_selector *sel = open_selector(_i);
        ghost held = make_ghost(sel, by);

        assert_error(sel_modify(sel, held.fd, READ | WRITE, NULL, NULL), EBADF);
        assert_quiet(sel, 0.02);
        assert_quiet(sel, 0.02);
        assert_ok(sel_close(sel));
        let_go(&held);
    }
}
END_TEST

/* A change that the kernel has not heard of when the descriptor is closed, and a pause. */
START_TEST(a_key_that_was_changed_before_leaves_no_ghost)
{
    for (int events = 0; events <= EVERY_EVENT; events++) {
        sel_selector *sel = open_selector(_i);
        ghost held = {.peer = -1, .copy = -1};
        int ends[2];

        make_socketpair(ends);
        held.fd = ends[0];
        held.peer = ends[1];
        put_byte(held.peer);
        assert_ok(sel_register(sel, held.fd, READ, NULL, NULL));
        ck_assert_int_eq(look(sel, held.fd), READ);
        assert_ok(sel_modify(sel, held.fd, events, NULL, NULL));
        hold_and_close(&held, A_DUPLICATE);
        if (events % 2 == 0)
            count_ready(sel);
        assert_ok(sel_unregister(sel, held.fd));
        assert_quiet(sel, 0.01);
        assert_ok(sel_close(sel));
        let_go(&held);
    }
}
END_TEST

START_TEST(a_key_that_no_wait_has_met_leaves_no_ghost)
{
    sel_selector *sel = open_selector(_i);
    ghost held;
    int ends[2];

    make_pipe(ends);
    put_byte(ends[1]);
    held.fd = ends[0];
    held.peer = ends[1];
    assert_ok(sel_register(sel, held.fd, READ, NULL, NULL));
    hold_and_close(&held, A_DUPLICATE);
    assert_ok(sel_unregister(sel, held.fd));
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
    let_go(&held);
}
END_TEST

/*
 * All eventfds share one device and inode, so checking whether the number still stands
 * for its file says yes to a stranger. The ghost is one all the same.
 */
START_TEST(a_ghost_whose_number_is_a_file_just_like_it_wakes_no_wait)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    ck_assert_int_eq(look(sel, fd), READ);
    move_descriptor(make_eventfd(0), fd);
    assert_ok(sel_unregister(sel, fd));
    assert_quiet(sel, 0.02);
    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    assert_quiet(sel, 0.02);
    ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
    ck_assert_int_eq(look(sel, fd), READ);
    assert_ok(sel_close(sel));
    close(fd);
    close(copy);
}
END_TEST

/*
 * Two numbers of one file, and the kernel knows each by file and number. The
 * duplicate's number is well away from what the library opens meanwhile.
 */
START_TEST(a_duplicate_closed_and_made_again_is_watched_again)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], copy;

    make_pipe(ends);
    put_byte(ends[1]);
    copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 200);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    assert_ok(sel_register(sel, copy, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    for (int round = 0; round < 3; round++) {
        close(copy);
        assert_ok(sel_unregister(sel, copy));
        ck_assert_int_eq(look(sel, ends[0]), READ);
        ck_assert_int_eq(count_ready(sel), 1);
        ck_assert_int_eq(dup3(ends[0], copy, O_CLOEXEC), copy);
        assert_ok(sel_register(sel, copy, READ, NULL, NULL));
        ck_assert_int_eq(look(sel, copy), READ);
        ck_assert_int_eq(count_ready(sel), 2);
        close(copy); /* and made again behind the selector's back */
        ck_assert_int_eq(dup3(ends[0], copy, O_CLOEXEC), copy);
        ck_assert_int_eq(count_ready(sel), remembers_files(_i) ? 2 : 1);
    }
    take_byte(copy);
    assert_quiet(sel, 0.01);
    assert_ok(sel_unregister(sel, ends[0]));
    assert_ok(sel_unregister(sel, copy));
    put_byte(ends[1]);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close_pair(ends);
    close(copy);
}
END_TEST

/* More than any one wait can report, and spread over several of libuv's loops. */
START_TEST(a_crowd_of_ghosts_among_a_crowd_of_healthy_ones)
{
    enum { KEYS = 2400 };
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, KEYS), fds[KEYS], copies[KEYS];

    for (int i = 0; i < count; i++) {
        int ends[2];

        make_pipe(ends);
        put_byte(ends[1]);
        close(ends[1]);
        fds[i] = ends[0];
    }
    for (int i = 0; i < count; i++)
        assert_ok(sel_register(sel, fds[i], READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), count);
    for (int i = 0; i < count; i += 2) {
        copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        close(fds[i]);
        assert_ok(sel_unregister(sel, fds[i]));
    }
    for (int round = 0; round < 3; round++)
        ck_assert_int_eq(count_ready(sel), count / 2);
    for (int i = 1; i < count; i += 2)
        assert_ok(sel_unregister(sel, fds[i]));
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
    for (int i = 0; i < count; i++)
        close(i % 2 == 0 ? copies[i] : fds[i]);
}
END_TEST

/*
 * Removing a ghost may take a new descriptor, which gets the number of the closed key
 * and is a file just like it.
 */
START_TEST(a_ghost_beside_a_closed_key_wakes_no_wait)
{
    sel_selector *sel = open_selector(_i);
    int closed = make_eventfd(1);
    ghost held;

    assert_ok(sel_register(sel, closed, READ, NULL, NULL));
    held = make_ghost(sel, A_DUPLICATE);
    close(closed);
    assert_ok(sel_unregister(sel, held.fd));
    put_byte(held.peer);
    assert_quiet(sel, 0.02);
    assert_quiet(sel, 0.02);
    assert_ok(sel_unregister(sel, closed));
    assert_quiet(sel, 0.02);
    assert_ok(sel_close(sel));
    let_go(&held);
}
END_TEST

/* A read end of the FIFO that `fd` has open, at this number; it is open already. */
static void open_fifo_again(int fd, int number)
{
    char path[32];
    int again;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    again = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(again, 0);
    if (again != number)
        move_descriptor(again, number);
}

/*
 * Checking whether a number still stands for its file says yes to the same FIFO opened
 * again. Beside a key that was registered since the last wait, `uv` took the old one
 * for never sent to the kernel, though it could not be removed from the set, and then
 * spun.
 */
START_TEST(a_fifo_that_is_opened_anew_under_its_number_leaves_no_ghost)
{
    for (int beside = 0; beside <= 1; beside++) {
        sel_selector *sel = open_selector(_i);
        int other = make_eventfd(0), ends[2], copy;

        make_pipe(ends);
        copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
        assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
        assert_quiet(sel, 0.01);
        close(ends[0]);
        open_fifo_again(copy, ends[0]);
        ck_assert_int_eq(sel_modify(sel, ends[0], READ | WRITE, NULL, NULL),
                         remembers_files(_i) ? 0 : -EBADF);
        if (beside)
            assert_ok(sel_register(sel, other, READ, NULL, NULL));
        count_ready(sel);
        if (remembers_files(_i))
            assert_ok(sel_unregister(sel, ends[0]));
        put_byte(ends[1]);
        assert_quiet(sel, 0.05);
        assert_ok(sel_close(sel));
        close_pair(ends);
        close(copy);
        close(other);
    }
}
END_TEST

/* Before a wait has removed the ghost: the set still has this number and file. */
START_TEST(a_file_that_comes_back_to_its_number_is_watched_again)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], copy;

    make_pipe(ends);
    put_byte(ends[1]);
    copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), READ);
    close(ends[0]);
    assert_ok(sel_unregister(sel, ends[0]));
    move_descriptor(copy, ends[0]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), READ);
    assert_ok(sel_unregister(sel, ends[0]));
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/*
 * Where libuv reports only a part, poll(2) is asked about the number; what it says of
 * another file there, or of none, is not the key's.
 */
START_TEST(what_is_known_of_the_number_is_not_told_of_the_file_before)
{
    for (int replaced = 0; replaced <= 1; replaced++) {
        sel_selector *sel = open_selector(_i);
        int ends[2], broken[2], copy;

        make_socketpair(ends);
        make_pipe(broken);
        close(broken[1]);
        copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
        assert_ok(sel_register(sel, ends[0], READ | WRITE, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), WRITE);
        close(ends[0]);
        if (replaced)
            move_descriptor(broken[0], ends[0]);
        for (int round = 0; round < 2; round++)
            ck_assert_int_eq(look(sel, ends[0]) & ~WRITE, 0);
        assert_ok(sel_unregister(sel, ends[0]));
        assert_quiet(sel, 0.01);
        assert_ok(sel_close(sel));
        close(replaced ? ends[0] : broken[0]);
        close(ends[1]);
        close(copy);
    }
}
END_TEST

/*
 * An urgent condition on a regular file, such as /proc/mounts, is every event. Here the
 * file is regular, and the urgent condition is a byte of the connection that was there
 * before.
 */
START_TEST(an_urgent_byte_for_the_file_before_is_no_change_of_a_regular_one)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], copy;

    make_tcp_pair(ends);
    copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    assert_ok(sel_register(sel, ends[0], READ | WRITE | EXCEPT, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), WRITE);
    ck_assert_int_eq(send(ends[1], "!", 1, MSG_OOB), 1);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = copy, .events = POLLPRI}, 1, 5000), 1);
    move_descriptor(open_regular_file(), ends[0]);
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(look(sel, ends[0]) & READ, 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
    close(copy);
}
END_TEST

/*
 * uv and epoll: a program that sleeps on the descriptor must not spin either. A child has
 * all that the ghost is in, too, whatever takes its place here.
 */
static void assert_silent_fileno(sel_selector *sel, holder by)
{
    struct pollfd polled = {.fd = sel_fileno(sel), .events = POLLIN};
    int fd = make_eventfd(0);
    ghost held = make_ghost(sel, by);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    assert_ok(sel_unregister(sel, held.fd));
    for (int round = 0; round < 3; round++) { /* a ghost may have to show itself first */
        ck_assert_int_eq(count_ready(sel), 0);
        ck_assert_int_eq(sel_fileno(sel), polled.fd);
    }
    ck_assert_int_eq(poll(&polled, 1, 20), 0);
    ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
    ck_assert_int_eq(poll(&polled, 1, 5000), 1);
    ck_assert_int_eq(look(sel, fd), READ);
    assert_ok(sel_close(sel));
    let_go(&held);
    close(fd);
}

START_TEST(a_ghost_does_not_make_fileno_readable)
{
    for (holder by = 0; by < HOLDERS; by++)
        assert_silent_fileno(open_selector(_i), by);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ghosts");
    TCase *tcase = new_tcase("files that outlive their descriptor");

    add_backend_test(tcase, a_ghost_wakes_no_wait_and_costs_no_time);
    add_backend_test(tcase, before_it_is_unregistered_it_keeps_nobody_from_being_served);
    add_backend_test(tcase, the_number_registered_again_sees_only_its_own_file);
    add_backend_test(tcase, a_key_that_modify_removed_leaves_no_ghost);
    add_backend_test(tcase, a_key_that_was_changed_before_leaves_no_ghost);
    add_backend_test(tcase, a_key_that_no_wait_has_met_leaves_no_ghost);
    add_backend_test(tcase, a_ghost_whose_number_is_a_file_just_like_it_wakes_no_wait);
    add_backend_test(tcase, a_duplicate_closed_and_made_again_is_watched_again);
    add_backend_test(tcase, a_crowd_of_ghosts_among_a_crowd_of_healthy_ones);
    add_backend_test(tcase, a_fifo_that_is_opened_anew_under_its_number_leaves_no_ghost);
    add_backend_test(tcase, a_file_that_comes_back_to_its_number_is_watched_again);
    add_backend_test(tcase, what_is_known_of_the_number_is_not_told_of_the_file_before);
    add_backend_test(tcase, an_urgent_byte_for_the_file_before_is_no_change_of_a_regular_one);
    add_backend_test(tcase, a_ghost_beside_a_closed_key_wakes_no_wait);
    add_fileno_test(tcase, a_ghost_does_not_make_fileno_readable);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
