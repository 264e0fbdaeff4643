/* SPDX-License-Identifier: MIT */
/*
 * What is often written about select, poll and epoll, put to the test: each claim,
 * and what running something showed. docs/twins/claims.py is the same program in
 * Python; both print the same.
 *
 * What can be counted is counted.  Only what is a matter of time is timed, and then
 * the difference is a hundredfold.
 */
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"
#include "kit/uring.h"

#include <selkie.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGES = 100, MANY = 1000, FEW = 10, FAR = 1500 };

static void claim(const char *text)
{
    printf("claim: %s\n", text);
}

__attribute__((format(printf, 1, 2))) static void found(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("found: ", stdout);
    vprintf(format, arguments);
    puts("");
    va_end(arguments);
}

/* A descriptor that stays readable. */
static int readable_eventfd(void)
{
    return checked(eventfd(1, EFD_CLOEXEC), "make an eventfd");
}

static int add(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* How many of the process's memory maps have this name. */
static int count_maps(const char *name)
{
    char line[4096];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, name) != NULL;
    if (maps != NULL)
        fclose(maps);
    return count;
}

static void epoll_shares_memory(void)
{
    struct epoll_event event;
    claim("epoll shares memory with the kernel by mmap()");
    int epoll = checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll");
    int fd = readable_eventfd();
    add(epoll, fd, EPOLLIN);
    checked(epoll_wait(epoll, &event, 1, -1), "wait");
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, epoll, 0);
    int error = memory == MAP_FAILED ? errno : 0;
    found("in /proc/self/maps are %d maps of an epoll in use, and mmap() of one: %s",
          count_maps("eventpoll"), error_name(error));
    uring *ring = uring_open();
    found("io_uring does share memory, here: %s",
          yes_or_no(count_maps("io_uring") > 0));
    if (ring != NULL)
        uring_close(ring);
    close(fd);
    close(epoll);
}

/* select(2) with a bitmap of our own: FD_SET() would write past an fd_set's end. */
static int select_with_long_bitmap(int fd)
{
    enum { BITS = 8 * sizeof(long) };
    unsigned long bitmap[(FAR + BITS) / BITS] = {0};
    struct timeval now = {0, 0};
    bitmap[fd / BITS] |= 1UL << fd % BITS;
    return select(fd + 1, (fd_set *)(void *)bitmap, NULL, NULL, &now);
}

static void select_limit(void)
{
    claim("the limit of select() can be lifted by compiling the kernel anew");
    int low = readable_eventfd();
    int fd = checked(fcntl(low, F_DUPFD_CLOEXEC, FAR), "get a high descriptor");
    found("the limit of %d is compiled into programs and the C library: "
          "a bitmap of fd_set's size has no place for descriptor %d",
          FD_SETSIZE, FAR);
    found("this kernel, as it is, takes a longer bitmap: select() of descriptor %d finds "
          "%d ready",
          FAR, select_with_long_bitmap(fd));
    close(fd);
    close(low);
}

/* Messages that arrive one at a time: how many waits and reads does each mode need? */
static void count_calls(uint32_t mode, int *waits, int *reads)
{
    int pair[2];
    char byte;
    struct epoll_event event;
    open_pair(SOCK_STREAM | SOCK_NONBLOCK, pair);
    int epoll = checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll");
    add(epoll, pair[0], EPOLLIN | mode);
    *waits = *reads = 0;
    for (int i = 0; i < MESSAGES; i++) {
        checked((int)write(pair[1], "x", 1), "write");
        *waits += epoll_wait(epoll, &event, 1, -1);
        bool again = true;
        while (again) { /* an edge-triggered reader reads until EAGAIN */
            ++*reads;
            again = read(pair[0], &byte, 1) > 0 && mode == EPOLLET;
        }
    }
    close(epoll);
    close(pair[0]);
    close(pair[1]);
}

static void edge_is_faster(void)
{
    int waits, reads;
    claim("edge-triggered is faster in itself");
    count_calls(0, &waits, &reads);
    found("%d messages, one at a time, level-triggered: %d waits, %d reads", MESSAGES,
          waits, reads);
    count_calls(EPOLLET, &waits, &reads);
    found("the same edge-triggered: %d waits, %d reads, as each is read until EAGAIN",
          waits, reads);
}

static void poll_is_gone(void)
{
    claim("no system has poll() any more");
    struct pollfd entry = {.fd = readable_eventfd(), .events = POLLIN};
    int ready = poll(&entry, 1, -1);
    found("here it is: %d ready, POLLIN: %s (Windows' WSAPoll() was not tried)", ready,
          yes_or_no(entry.revents == POLLIN));
    close(entry.fd);
}

static void size_of_epoll(void)
{
    struct epoll_event events[2 * FEW];
    int fds[FEW];
    claim("the size given to epoll_create() bounds the events");
    int none = epoll_create(0);
    int error = none < 0 ? errno : 0;
    int epoll = checked(epoll_create(1), "make an epoll");
    for (int i = 0; i < FEW; i++) {
        fds[i] = readable_eventfd();
        add(epoll, fds[i], EPOLLIN);
    }
    found("epoll_create(1) took %d descriptors and told %d events to a wait for up to %d",
          FEW, epoll_wait(epoll, events, 2 * FEW, -1), 2 * FEW);
    found("it must only not be 0: %s", error_name(error));
    for (int i = 0; i < FEW; i++)
        close(fds[i]);
    close(epoll);
}

static void oneshot(void)
{
    struct epoll_event event;
    const uint32_t events = EPOLLIN | EPOLLONESHOT;
    claim("after its one event a ONESHOT descriptor is added to the epoll again");
    int epoll = checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll");
    int fd = readable_eventfd();
    add(epoll, fd, events);
    int first = epoll_wait(epoll, &event, 1, 0), second = epoll_wait(epoll, &event, 1, 0);
    int error = add(epoll, fd, events) < 0 ? errno : 0;
    found("told %d, then %d; ADD: %s, as it is still there", first, second,
          error_name(error));
    event = (struct epoll_event){.events = events};
    checked(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event), "modify");
    found("MOD arms it again: told %d", epoll_wait(epoll, &event, 1, 0));
    close(fd);
    close(epoll);
}

static double cpu_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void keeps_polling(void)
{
    struct epoll_event event;
    struct timeval timeout = {.tv_usec = 200000};
    claim("select() and epoll keep polling while they wait");
    double before = cpu_time();
    select(0, NULL, NULL, NULL, &timeout);
    found("select() of 0.2 s computed for less than 0.02 s: %s",
          yes_or_no(cpu_time() - before < 0.02));
    int epoll = checked(epoll_create1(EPOLL_CLOEXEC), "make an epoll");
    before = cpu_time();
    epoll_wait(epoll, &event, 1, 200);
    found("epoll_wait() of 0.2 s computed for less than 0.02 s: %s",
          yes_or_no(cpu_time() - before < 0.02));
    found("they sleep, and what becomes ready wakes them");
    close(epoll);
}

/* The time of the shortest of some calls. */
static double time_select(const int *fds, int count)
{
    double shortest = 1;
    for (int i = 0; i < 20; i++) {
        double start = monotonic();
        int error = sel_compat_select(fds, (size_t)count, NULL, NULL, NULL, 0, NULL, NULL,
                                      NULL, 0, NULL, NULL, 0);
        if (error < 0)
            fail(EXIT_FAILURE, "cannot select: %s", sel_strerror(error));
        double taken = monotonic() - start;
        shortest = taken < shortest ? taken : shortest;
    }
    return shortest;
}

static void bypasses_the_interpreter(void)
{
    int fds[MANY];
    claim("select() is fast because it bypasses the interpreter");
    for (int i = 0; i < MANY; i++)
        fds[i] = checked(eventfd(0, EFD_CLOEXEC), "make an eventfd");
    found("with %d descriptors, none of them ready, it takes longer than with %d: %s",
          MANY, FEW, yes_or_no(time_select(fds, MANY) > time_select(fds, FEW)));
    found("so it is in C and in Python: the kernel looks at every one, at every call");
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
}

static void poll_has_no_limit(void)
{
    static struct pollfd entries[2000]; /* of descriptors that needn't be open */
    struct rlimit limit, small;
    claim("poll() has no limit");
    for (int i = 0; i < 2000; i++)
        entries[i].fd = -1; /* skipped */
    getrlimit(RLIMIT_NOFILE, &limit);
    found("2000 entries, more than FD_SETSIZE: %s",
          error_name(poll(entries, 2000, 0) < 0 ? errno : 0));
    small = limit;
    small.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &small);
    int error = poll(entries, 65, 0) < 0 ? errno : 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    found("65 entries where the process may have 64 descriptors: %s", error_name(error));
}

static void asynchronous_io(void)
{
    int pair[2], result = 0;
    char answer[16];
    claim("asynchronous I/O on Linux is hardly used");
    uring *ring = uring_open();
    if (ring == NULL) {
        found("this kernel has no io_uring for this process");
        return;
    }
    open_pair(SOCK_STREAM, pair);
    checked(uring_recv(ring, pair[0], answer, sizeof answer), "ask io_uring");
    bool early = uring_done(ring, &result);
    checked((int)write(pair[1], "hello", 5), "write");
    while (!uring_done(ring, &result))
        continue;
    found("io_uring works here: done before anything was sent: %s, "
          "then %d bytes received",
          yes_or_no(early), result);
    found("how much it is used, no program can find out by running");
    close_pair(pair);
    uring_close(ring);
}

/* As many as are allowed, if FAR and MANY need them. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 4096)
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static const command_option options[] = {{.name = NULL}};
    read_command_line(argc, argv, "Put claims about select, poll and epoll to the test.",
                      options);
    allow_descriptors();
    epoll_shares_memory();
    select_limit();
    edge_is_faster();
    poll_is_gone();
    size_of_epoll();
    oneshot();
    keeps_polling();
    bypasses_the_interpreter();
    poll_has_no_limit();
    asynchronous_io();
    flush_stdout();
    return EXIT_SUCCESS;
}
