/* SPDX-License-Identifier: MIT */
/*
 * What a backend on kqueue(2) relies on, as the manual pages of macOS and the BSDs have it.
 * Where there is none it is asked of the tests' own, which is in test/kqueue.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MOST = 8 };

static const struct timespec at_once = {0};
static const struct timespec at_last = {.tv_sec = 5};

/* Each test's; it may close them. */
static int queue, ends[2];

static int open_queue(void)
{
    int fresh = kqueue();

    ck_assert_int_ge(fresh, 0);
    return fresh;
}

static void open_both(void)
{
    queue = open_queue();
    make_pipe(ends);
}

static void close_both(void)
{
    close_pair(ends);
    close(queue);
}

static struct kevent make_change(int fd, int filter, int flags)
{
    struct kevent made;

    EV_SET(&made, (uintptr_t)fd, (int16_t)filter, (uint16_t)flags, 0, 0, NULL);
    return made;
}

/* 0 or the errno of one change. */
static int change(int kq, int fd, int filter, int flags)
{
    struct kevent one = make_change(fd, filter, flags);

    return kevent(kq, &one, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

static int look_at(int kq, struct kevent *events)
{
    int count = kevent(kq, NULL, 0, events, MOST, &at_once);

    ck_assert_int_ge(count, 0);
    return count;
}

static void assert_one(int kq, int fd, int filter)
{
    struct kevent events[MOST];

    ck_assert_int_eq(look_at(kq, events), 1);
    ck_assert_int_eq((int)events[0].ident, fd);
    ck_assert_int_eq(events[0].filter, filter);
}

static void assert_silent(int kq)
{
    struct kevent events[MOST];

    ck_assert_int_eq(look_at(kq, events), 0);
}

/* --- what an event says --- */

START_TEST(an_event_says_which_knote_how_much_and_what_was_given)
{
    int word;
    struct kevent one, events[MOST];

    EV_SET(&one, (uintptr_t)ends[0], EVFILT_READ, EV_ADD, 0, 0, &word);
    ck_assert_int_eq(kevent(queue, &one, 1, events, MOST, &at_once), 0);
    ck_assert_int_eq(write(ends[1], "four", 4), 4);
    ck_assert_int_eq(look_at(queue, events), 1);
    ck_assert_int_eq((int)events[0].ident, ends[0]);
    ck_assert_int_eq(events[0].filter, EVFILT_READ);
    ck_assert_int_eq(events[0].flags & (EV_EOF | EV_ERROR), 0);
    ck_assert_int_eq(events[0].data, 4);
    ck_assert_ptr_eq(events[0].udata, &word);
}
END_TEST

START_TEST(what_stays_ready_is_told_again_and_with_ev_clear_once)
{
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    put_byte(ends[1]);
    assert_one(queue, ends[0], EVFILT_READ);
    assert_one(queue, ends[0], EVFILT_READ);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_DELETE), 0);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
    assert_one(queue, ends[0], EVFILT_READ);
    assert_silent(queue);
    put_byte(ends[1]);
    assert_one(queue, ends[0], EVFILT_READ);
}
END_TEST

START_TEST(reading_and_writing_are_two_knotes_and_two_events)
{
    int pair[2];
    struct kevent events[MOST];

    make_socketpair(pair);
    put_byte(pair[1]);
    ck_assert_int_eq(change(queue, pair[0], EVFILT_READ, EV_ADD), 0);
    ck_assert_int_eq(change(queue, pair[0], EVFILT_WRITE, EV_ADD), 0);
    ck_assert_int_eq(look_at(queue, events), 2);
    ck_assert_int_eq(events[0].filter + events[1].filter, EVFILT_READ + EVFILT_WRITE);
    for (int i = 0; i < 2; i++)
        ck_assert_int_gt(events[i].data, 0);
    ck_assert_int_eq(change(queue, pair[0], EVFILT_WRITE, EV_DELETE), 0);
    assert_one(queue, pair[0], EVFILT_READ);
    close_pair(pair);
}
END_TEST

START_TEST(the_end_has_a_flag_and_comes_with_what_is_left)
{
    int pair[2];
    struct kevent events[MOST];

    make_socketpair(pair);
    ck_assert_int_eq(change(queue, pair[0], EVFILT_READ, EV_ADD), 0);
    put_byte(pair[1]);
    shutdown(pair[1], SHUT_WR);
    ck_assert_int_eq(look_at(queue, events), 1);
    ck_assert(events[0].flags & EV_EOF);
    ck_assert_int_eq(events[0].data, 1);
    take_byte(pair[0]);
    ck_assert_int_eq(look_at(queue, events), 1);
    ck_assert(events[0].flags & EV_EOF);
    ck_assert_int_eq(events[0].data, 0);
    close_pair(pair);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_is_at_its_end_for_the_writer)
{
    struct kevent events[MOST];

    fill(ends[1]);
    ck_assert_int_eq(change(queue, ends[1], EVFILT_WRITE, EV_ADD), 0);
    assert_silent(queue);
    close(ends[0]);
    ck_assert_int_eq(look_at(queue, events), 1);
    ck_assert(events[0].flags & EV_EOF);
}
END_TEST

START_TEST(an_urgent_byte_is_except_with_note_oob)
{
    int pair[2];
    struct kevent event;

    make_tcp_pair(pair);
    ck_assert_int_eq(change(queue, pair[0], EVFILT_EXCEPT, EV_ADD), 0);
    assert_silent(queue);
    ck_assert_int_eq(send(pair[1], "!", 1, MSG_OOB), 1);
    ck_assert_int_eq(kevent(queue, NULL, 0, &event, 1, &at_last), 1);
    ck_assert_int_eq(event.filter, EVFILT_EXCEPT);
    ck_assert(event.fflags & NOTE_OOB);
    close_pair(pair);
}
END_TEST

START_TEST(a_regular_file_is_readable_up_to_its_end)
{
    int file = open_regular_file(), folder = open_closed_on_exec("/");
    struct kevent events[MOST];

    ck_assert_int_eq(write(file, "four", 4), 4);
    lseek(file, 1, SEEK_SET);
    ck_assert_int_eq(change(queue, file, EVFILT_READ, EV_ADD), 0);
    assert_one(queue, file, EVFILT_READ);
    lseek(file, 0, SEEK_END);
    assert_silent(queue);
    ck_assert_int_eq(change(queue, file, EVFILT_WRITE, EV_ADD), 0);
    assert_one(queue, file, EVFILT_WRITE);
    ck_assert_int_eq(change(queue, folder, EVFILT_READ, EV_ADD), EINVAL);
    close(file);
    ck_assert_int_eq(look_at(queue, events), 0);
    close(folder);
}
END_TEST

/* --- changes --- */

START_TEST(adding_again_changes_what_there_is_and_enables_it)
{
    int word;
    struct kevent one, events[MOST];

    put_byte(ends[1]);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD | EV_DISABLE), 0);
    assert_silent(queue);
    EV_SET(&one, (uintptr_t)ends[0], EVFILT_READ, EV_ADD, 0, 0, &word);
    ck_assert_int_eq(kevent(queue, &one, 1, NULL, 0, NULL), 0);
    ck_assert_int_eq(look_at(queue, events), 1);
    ck_assert_ptr_eq(events[0].udata, &word);
}
END_TEST

START_TEST(a_disabled_knote_is_silent_and_there)
{
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    put_byte(ends[1]);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_DISABLE), 0);
    assert_silent(queue);
    close(ends[1]); /* nor does it tell of the end */
    assert_silent(queue);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = queue, .events = POLLIN}, 1, 0), 0);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ENABLE), 0);
    assert_one(queue, ends[0], EVFILT_READ);
}
END_TEST

START_TEST(told_once_it_is_gone_with_ev_oneshot_and_disabled_with_ev_dispatch)
{
    put_byte(ends[1]);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD | EV_ONESHOT), 0);
    assert_one(queue, ends[0], EVFILT_READ);
    assert_silent(queue);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ENABLE), ENOENT);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD | EV_DISPATCH), 0);
    assert_one(queue, ends[0], EVFILT_READ);
    assert_silent(queue);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ENABLE), 0);
    assert_one(queue, ends[0], EVFILT_READ);
}
END_TEST

START_TEST(what_can_not_be_changed_has_its_error)
{
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ENABLE), ENOENT);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_DELETE), ENOENT);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_WRITE, EV_DELETE), ENOENT);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_DELETE), 0);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_DELETE), ENOENT);
    ck_assert_int_eq(change(queue, ends[0], 7, EV_ADD), EINVAL);
    ck_assert_int_eq(change(queue, find_closed_descriptor(), EVFILT_READ, EV_ADD), EBADF);
    ck_assert_int_eq(change(ends[0], ends[1], EVFILT_WRITE, EV_ADD), EBADF);
    close(queue);
    ck_assert_int_eq(change(queue, 0, EVFILT_READ, EV_ADD), EBADF);
}
END_TEST

static int change_with_an_error_between(struct kevent *events, int room)
{
    struct kevent changes[] = {
        make_change(ends[0], EVFILT_READ, EV_ADD),
        make_change(ends[1], EVFILT_WRITE, EV_DELETE),
        make_change(ends[1], EVFILT_WRITE, EV_ADD),
    };

    put_byte(ends[1]);
    return kevent(queue, changes, 3, events, room, NULL);
}

/* And then there is no wait; what comes after it is done. */
START_TEST(an_error_is_an_event_where_there_is_room)
{
    struct kevent events[MOST];

    ck_assert_int_eq(change_with_an_error_between(events, MOST), 1);
    ck_assert_int_eq((int)events[0].ident, ends[1]);
    ck_assert_int_eq(events[0].filter, EVFILT_WRITE);
    ck_assert(events[0].flags & EV_ERROR);
    ck_assert_int_eq(events[0].data, ENOENT);
    ck_assert_int_eq(look_at(queue, events), 2);
}
END_TEST

START_TEST(without_room_an_error_ends_the_call)
{
    struct kevent events[MOST];

    ck_assert_int_eq(change_with_an_error_between(NULL, 0), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(look_at(queue, events), 1); /* the first was made, the last was not */
    ck_assert_int_eq((int)events[0].ident, ends[0]);
}
END_TEST

START_TEST(a_receipt_comes_for_each_change_and_takes_no_event)
{
    struct kevent changes[2], events[MOST];

    put_byte(ends[1]);
    changes[0] = make_change(ends[0], EVFILT_READ, EV_ADD | EV_RECEIPT);
    changes[1] = make_change(ends[1], EVFILT_READ, EV_ENABLE | EV_RECEIPT);
    ck_assert_int_eq(kevent(queue, changes, 2, events, MOST, NULL), 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq((int)events[i].ident, ends[i]);
        ck_assert(events[i].flags & EV_ERROR);
        ck_assert_int_eq(events[i].data, i == 0 ? 0 : ENOENT);
    }
    assert_one(queue, ends[0], EVFILT_READ);
}
END_TEST

/* --- numbers and files --- */

/* A duplicate keeps the file open, and the number is that of another. */
START_TEST(a_knote_goes_with_its_number)
{
    int copy;

    put_byte(ends[1]);
    copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    close(ends[0]);
    assert_silent(queue);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = queue, .events = POLLIN}, 1, 0), 0);
    ck_assert_int_eq(fcntl(copy, F_DUPFD_CLOEXEC, ends[0]), ends[0]);
    assert_silent(queue); /* the same file and the same number */
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ENABLE), ENOENT);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    assert_one(queue, ends[0], EVFILT_READ);
    close(copy);
}
END_TEST

START_TEST(a_knote_goes_when_another_file_takes_its_number)
{
    int others[2];

    make_pipe(others);
    put_byte(others[1]);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD | EV_DISABLE), 0);
    move_descriptor(others[0], ends[0]);
    assert_silent(queue);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ENABLE), ENOENT);
    close(others[1]);
}
END_TEST

/* As fclose() does it, within the C library. */
START_TEST(a_knote_goes_when_its_stream_is_closed)
{
    int others[2];

    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    fclose(fdopen(ends[0], "r"));
    make_pipe(others);
    ck_assert_int_eq(others[0], ends[0]);
    put_byte(others[1]);
    assert_silent(queue);
    ck_assert_int_eq(change(queue, others[0], EVFILT_READ, EV_ENABLE), ENOENT);
    ck_assert_int_eq(change(queue, others[0], EVFILT_READ, EV_ADD), 0);
    assert_one(queue, others[0], EVFILT_READ);
    close(ends[1]);
    close_pair(others);
}
END_TEST

START_TEST(a_duplicate_has_knotes_of_its_own)
{
    int copy;
    struct kevent events[MOST];

    put_byte(ends[1]);
    copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    ck_assert_int_eq(change(queue, copy, EVFILT_READ, EV_ADD), 0);
    ck_assert_int_eq(look_at(queue, events), 2);
    close(copy);
    assert_one(queue, ends[0], EVFILT_READ);
}
END_TEST

START_TEST(a_queue_is_the_same_under_another_number)
{
    int other = open_queue(), copy;

    put_byte(ends[1]);
    copy = fcntl(queue, F_DUPFD_CLOEXEC, 0);
    ck_assert_int_eq(change(copy, ends[0], EVFILT_READ, EV_ADD), 0);
    assert_one(queue, ends[0], EVFILT_READ);
    ck_assert_int_eq(dup2(queue, other), other);
    close(queue);
    close(copy);
    assert_one(other, ends[0], EVFILT_READ);
    close(other);
}
END_TEST

/* --- processes --- */

static void stay_child(void)
{
    struct kevent event;

    if (kevent(queue, NULL, 0, &event, 1, &at_once) >= 0 || errno != EBADF)
        _exit(1);
    close(ends[0]); /* tells the parent's queue nothing */
    _exit(kqueue() < 0);
}

START_TEST(a_child_has_no_queue_and_the_parents_keeps_its_knotes)
{
    pid_t child;

    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    child = _i == 0 ? fork() : _Fork();
    if (child == 0)
        stay_child();
    assert_child_succeeds(child);
    put_byte(ends[1]);
    assert_one(queue, ends[0], EVFILT_READ);
}
END_TEST

/* --- queues in queues --- */

START_TEST(a_queue_is_readable_while_it_has_events)
{
    int outer = open_queue(), inner = open_queue();
    struct pollfd polled = {.fd = outer, .events = POLLIN};

    ck_assert_int_eq(change(outer, inner, EVFILT_READ, EV_ADD), 0);
    ck_assert_int_eq(change(inner, ends[0], EVFILT_READ, EV_ADD), 0);
    assert_silent(outer);
    ck_assert_int_eq(poll(&polled, 1, 0), 0);
    put_byte(ends[1]);
    assert_one(outer, inner, EVFILT_READ);
    ck_assert_int_eq(poll(&polled, 1, 0), 1);
    take_byte(ends[0]);
    assert_silent(outer);
    ck_assert_int_eq(poll(&polled, 1, 0), 0);
    ck_assert_int_eq(change(inner, outer, EVFILT_READ, EV_ADD), EINVAL);
    ck_assert_int_eq(change(inner, inner, EVFILT_READ, EV_ADD), EINVAL);
    close(inner);
    close(outer);
}
END_TEST

/* --- waiting --- */

START_TEST(a_wait_ends_with_its_time_and_not_before)
{
    static const struct timespec time = {.tv_nsec = 20400000};
    struct kevent events[MOST];
    int64_t start = now_ns();

    ck_assert_int_eq(change(queue, ends[0], EVFILT_READ, EV_ADD), 0);
    ck_assert_int_eq(kevent(queue, NULL, 0, events, MOST, &time), 0);
    ck_assert_int_ge(now_ns() - start, time.tv_nsec);
    ck_assert_int_eq(kevent(queue, NULL, 0, events, 0, NULL), 0); /* no room: no wait */
}
END_TEST

static void do_nothing(int number)
{
    (void)number;
}

START_TEST(a_signal_ends_a_wait)
{
    struct itimerval ticks = {.it_interval.tv_usec = 20000, .it_value.tv_usec = 20000};
    struct sigaction action = {.sa_handler = do_nothing};
    struct kevent event;

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &ticks, NULL);
    ck_assert_int_eq(kevent(queue, NULL, 0, &event, 1, NULL), -1);
    ck_assert_int_eq(errno, EINTR);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
}
END_TEST

typedef struct {
    int queue, fd;
} errand;

static void *add_from_outside(void *data)
{
    const errand *given = data;

    ck_assert_int_eq(change(given->queue, given->fd, EVFILT_READ, EV_ADD), 0);
    return NULL;
}

START_TEST(what_another_thread_adds_ends_a_wait)
{
    errand given = {queue, 0};
    struct kevent event;
    pthread_t thread;

    put_byte(ends[1]);
    given.fd = ends[0];
    ck_assert_int_eq(pthread_create(&thread, NULL, add_from_outside, &given), 0);
    ck_assert_int_eq(kevent(queue, NULL, 0, &event, 1, NULL), 1);
    ck_assert_int_eq((int)event.ident, ends[0]);
    pthread_join(thread, NULL);
}
END_TEST

/* Each of four sockets reads and writes: with room for `room`, all eight have their turn. */
START_TEST(little_room_is_for_all_in_turn)
{
    int room = 1 + _i, pair[4][2], seen[4][2] = {{0}};
    struct kevent events[MOST];

    for (int i = 0; i < 4; i++) {
        make_socketpair(pair[i]);
        put_byte(pair[i][1]);
        ck_assert_int_eq(change(queue, pair[i][0], EVFILT_READ, EV_ADD), 0);
        ck_assert_int_eq(change(queue, pair[i][0], EVFILT_WRITE, EV_ADD), 0);
    }
    for (int n = 0; n < 16; n++) {
        int count = kevent(queue, NULL, 0, events, room, &at_once);

        ck_assert_int_ge(count, 1);
        ck_assert_int_le(count, room);
        for (int e = 0; e < count; e++)
            for (int i = 0; i < 4; i++)
                if (events[e].ident == (uintptr_t)pair[i][0])
                    seen[i][events[e].filter == EVFILT_WRITE]++;
    }
    for (int i = 0; i < 4; i++)
        ck_assert(seen[i][0] > 0 && seen[i][1] > 0);
    ck_assert_int_eq(kevent(queue, NULL, 0, events, MOST, &at_once), 8);
    for (int i = 0; i < 4; i++)
        close_pair(pair[i]);
}
END_TEST

START_TEST(with_room_for_a_thousand_a_thousand_come_at_once)
{
    enum { MANY = 1000 };
    static struct kevent events[MANY + 1];
    static int fds[MANY];

    if (!may_open(MANY + 50, "a thousand events"))
        return;
    for (int i = 0; i < MANY; i++) {
        fds[i] = make_eventfd(1);
        ck_assert_int_eq(change(queue, fds[i], EVFILT_READ, EV_ADD), 0);
    }
    ck_assert_int_eq(kevent(queue, NULL, 0, events, MANY + 1, &at_once), MANY);
    ck_assert_int_eq(kevent(queue, NULL, 0, events, MANY, &at_once), MANY);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    ck_assert_int_eq(kevent(queue, NULL, 0, events, MANY, &at_once), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kqueue");
    TCase *tcase = new_tcase("kqueue");

    tcase_add_checked_fixture(tcase, open_both, close_both);
    tcase_add_test(tcase, an_event_says_which_knote_how_much_and_what_was_given);
    tcase_add_test(tcase, what_stays_ready_is_told_again_and_with_ev_clear_once);
    tcase_add_test(tcase, reading_and_writing_are_two_knotes_and_two_events);
    tcase_add_test(tcase, the_end_has_a_flag_and_comes_with_what_is_left);
    tcase_add_test(tcase, a_pipe_that_nobody_reads_is_at_its_end_for_the_writer);
    tcase_add_test(tcase, an_urgent_byte_is_except_with_note_oob);
    tcase_add_test(tcase, a_regular_file_is_readable_up_to_its_end);
    tcase_add_test(tcase, adding_again_changes_what_there_is_and_enables_it);
    tcase_add_test(tcase, a_disabled_knote_is_silent_and_there);
    tcase_add_test(tcase, told_once_it_is_gone_with_ev_oneshot_and_disabled_with_ev_dispatch);
    tcase_add_test(tcase, what_can_not_be_changed_has_its_error);
    tcase_add_test(tcase, an_error_is_an_event_where_there_is_room);
    tcase_add_test(tcase, without_room_an_error_ends_the_call);
    tcase_add_test(tcase, a_receipt_comes_for_each_change_and_takes_no_event);
    tcase_add_test(tcase, a_knote_goes_with_its_number);
    tcase_add_test(tcase, a_knote_goes_when_another_file_takes_its_number);
    tcase_add_test(tcase, a_knote_goes_when_its_stream_is_closed);
    tcase_add_test(tcase, a_duplicate_has_knotes_of_its_own);
    tcase_add_test(tcase, a_queue_is_the_same_under_another_number);
    tcase_add_loop_test(tcase, a_child_has_no_queue_and_the_parents_keeps_its_knotes, 0, 2);
    tcase_add_test(tcase, a_queue_is_readable_while_it_has_events);
    tcase_add_test(tcase, a_wait_ends_with_its_time_and_not_before);
    tcase_add_test(tcase, a_signal_ends_a_wait);
    tcase_add_test(tcase, what_another_thread_adds_ends_a_wait);
    tcase_add_loop_test(tcase, little_room_is_for_all_in_turn, 0, 4);
    tcase_add_test(tcase, with_room_for_a_thousand_a_thousand_come_at_once);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
