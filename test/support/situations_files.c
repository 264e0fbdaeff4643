/* SPDX-License-Identifier: MIT */
/*
 * The situations of everything that is not a socket: pipes, FIFOs, terminals and the
 * kernel's own descriptors.
 *
 * A change is final: once it is made, what poll(2) says of the descriptor stays the
 * same until the situation ends.
 */
#include "support/situations.h"
#include "support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

enum {
    READ = SEL_EVENT_READ,
    WRITE = SEL_EVENT_WRITE
};

static void make_pipe_reader(descriptors *ends)
{
    int pair[2];

    make_pipe(pair);
    ends->watched = pair[0];
    ends->peer = pair[1];
}

static void make_pipe_reader_with_unread(descriptors *ends)
{
    make_pipe_reader(ends);
    put_byte(ends->peer);
}

static void make_pipe_writer(descriptors *ends)
{
    int pair[2];

    make_pipe(pair);
    ends->watched = pair[1];
    ends->peer = pair[0];
}

static void make_full_pipe_writer(descriptors *ends)
{
    make_pipe_writer(ends);
    fill(ends->watched);
}

/* A FIFO without a name can still be opened, through a descriptor that has it open. */
static int open_again(int fd, int flags)
{
    char path[32];
    int again;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    again = open(path, flags | O_CLOEXEC);
    ck_assert_int_ge(again, 0);
    return again;
}

static void make_fifo_reader(descriptors *ends)
{
    char directory[] = "/tmp/selkie-test-XXXXXX";
    char path[64];

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/fifo", directory);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ends->watched = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    unlink(path);
    rmdir(directory);
    ck_assert_int_ge(ends->watched, 0);
}

static void make_full_fifo_writer(descriptors *ends)
{
    make_fifo_reader(ends);
    ends->peer = ends->watched;
    ends->watched = open_again(ends->peer, O_WRONLY);
    fill(ends->watched);
}

static void writer_comes_and_writes(descriptors *ends)
{
    ends->peer = open_again(ends->watched, O_WRONLY);
    put_byte(ends->peer);
}

static void writer_comes_and_goes(descriptors *ends)
{
    ends->peer = open_again(ends->watched, O_WRONLY);
    peer_closes(ends);
}

/* The master in `watched`, the slave in `peer`; neither echoes. */
static void make_master(descriptors *ends)
{
    struct termios terminal;
    char name[64];

    ends->watched = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(ends->watched, 0);
    ck_assert_int_eq(grantpt(ends->watched), 0);
    ck_assert_int_eq(unlockpt(ends->watched), 0);
    ck_assert_int_eq(ptsname_r(ends->watched, name, sizeof name), 0);
    ends->peer = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(ends->peer, 0);
    ck_assert_int_eq(tcgetattr(ends->peer, &terminal), 0);
    terminal.c_lflag &= ~(tcflag_t)ECHO;
    ck_assert_int_eq(tcsetattr(ends->peer, TCSANOW, &terminal), 0);
}

static void make_slave(descriptors *ends)
{
    int master;

    make_master(ends);
    master = ends->watched;
    ends->watched = ends->peer;
    ends->peer = master;
}

static void make_packet_master(descriptors *ends)
{
    int on = 1;

    make_master(ends);
    ck_assert_int_eq(ioctl(ends->watched, TIOCPKT, &on), 0);
}

static void slave_flushes(descriptors *ends)
{
    ck_assert_int_eq(tcflush(ends->peer, TCIFLUSH), 0);
}

static void master_types_a_line(descriptors *ends)
{
    ck_assert_int_eq(write(ends->peer, "x\n", 2), 2);
}

static void make_eventfd_at_zero(descriptors *ends)
{
    ends->watched = make_eventfd(0);
}

static void count_to(int fd, uint64_t value)
{
    ck_assert_int_eq(write(fd, &value, sizeof value), sizeof value);
}

static void make_eventfd_at_its_highest(descriptors *ends)
{
    make_eventfd_at_zero(ends);
    count_to(ends->watched, UINT64_MAX - 1);
}

static void it_counts_one(descriptors *ends)
{
    count_to(ends->watched, 1);
}

static void it_is_read(descriptors *ends)
{
    uint64_t value;

    ck_assert_int_eq(read(ends->watched, &value, sizeof value), sizeof value);
}

static void make_timerfd(descriptors *ends)
{
    ends->watched = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    ck_assert_int_ge(ends->watched, 0);
}

static void it_expires(descriptors *ends)
{
    const struct itimerspec at_once = {.it_value.tv_nsec = 1};

    ck_assert_int_eq(timerfd_settime(ends->watched, 0, &at_once, NULL), 0);
}

static void make_epoll_set(descriptors *ends)
{
    struct epoll_event event = {.events = EPOLLIN};

    ends->peer = make_eventfd(0);
    ends->watched = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_ge(ends->watched, 0);
    ck_assert_int_eq(epoll_ctl(ends->watched, EPOLL_CTL_ADD, ends->peer, &event), 0);
}

static void a_member_turns_ready(descriptors *ends)
{
    count_to(ends->peer, 1);
}

static void make_inotify(descriptors *ends)
{
    ends->watched = inotify_init1(IN_CLOEXEC);
    ck_assert_int_ge(ends->watched, 0);
    ck_assert_int_gt(inotify_add_watch(ends->watched, "/proc/self/fd", IN_ATTRIB), 0);
}

/* Removing a watch is an event too, IN_IGNORED. */
static void its_watch_ends(descriptors *ends)
{
    ck_assert_int_eq(inotify_rm_watch(ends->watched, 1), 0);
}

const situation file_situations[] = {
    {"pipe, read end: a byte", make_pipe_reader, peer_writes, 0, READ},
    {"pipe, read end: writer gone", make_pipe_reader, peer_closes, 0, EVERY_EVENT},
    {"pipe, read end with unread bytes: writer gone", make_pipe_reader_with_unread,
     peer_closes, READ, EVERY_EVENT},
    {"pipe, write end: room", make_full_pipe_writer, peer_reads_all, 0, WRITE},
    {"pipe, write end: full", make_full_pipe_writer, nothing_happens, 0, 0},
    {"pipe, write end: reader gone", make_pipe_writer, peer_closes, WRITE, EVERY_EVENT},
    {"pipe, full write end: reader gone", make_full_pipe_writer, peer_closes, 0,
     EVERY_EVENT},
    {"FIFO, read end: no writer yet", make_fifo_reader, nothing_happens, 0, 0},
    {"FIFO, read end: a writer writes", make_fifo_reader, writer_comes_and_writes, 0,
     READ},
    {"FIFO, read end: a writer came and went", make_fifo_reader, writer_comes_and_goes, 0,
     EVERY_EVENT},
    {"FIFO, write end: room", make_full_fifo_writer, peer_reads_all, 0, WRITE},
    {"FIFO, full write end: reader gone", make_full_fifo_writer, peer_closes, 0,
     EVERY_EVENT},
    {"terminal, master: a byte", make_master, peer_writes, WRITE, READ | WRITE},
    {"terminal, master: slave closed", make_master, peer_closes, WRITE, EVERY_EVENT},
    {"terminal, master in packet mode: a flush", make_packet_master, slave_flushes, WRITE,
     EVERY_EVENT},
    {"terminal, slave: a line", make_slave, master_types_a_line, WRITE, READ | WRITE},
    {"terminal, slave: half a line", make_slave, peer_writes, WRITE, WRITE},
    {"terminal, slave: master closed", make_slave, peer_closes, WRITE, EVERY_EVENT},
    {"eventfd: counts one", make_eventfd_at_zero, it_counts_one, WRITE, READ | WRITE},
    {"eventfd: at its highest", make_eventfd_at_its_highest, nothing_happens, READ, READ},
    {"eventfd: read from its highest", make_eventfd_at_its_highest, it_is_read, READ,
     WRITE},
    {"timerfd: not armed", make_timerfd, nothing_happens, 0, 0},
    {"timerfd: expired", make_timerfd, it_expires, 0, READ},
    {"epoll set: a member is ready", make_epoll_set, a_member_turns_ready, 0, READ},
    {"inotify: an event", make_inotify, its_watch_ends, 0, READ},
    {NULL, NULL, NULL, 0, 0},
};
