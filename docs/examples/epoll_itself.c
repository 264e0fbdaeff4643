/* SPDX-License-Identifier: MIT */
/*
 * An epoll instance is itself a descriptor: /proc shows it, another loop can watch it, and
 * it is closed like any other. epoll_itself.py is the same in Python.
 */
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* <sys/epoll.h> declares these; the compiler rejects any that differ from it. */
// [signatures]
int epoll_create1(int flags);
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout);
// [/signatures]

#define IS(member, type) _Generic(((struct epoll_event *)NULL)->member, type: 1, default: 0)
_Static_assert(IS(events, uint32_t) && IS(data.ptr, void *) && IS(data.fd, int) &&
                   IS(data.u32, uint32_t) && IS(data.u64, uint64_t),
               "the system's has other members");

#ifdef __x86_64__
#define PACKED __attribute__((packed)) /* the same layout as in 32-bit programs */
#else
#define PACKED
#endif

/* <sys/epoll.h> has this struct too; here it is again, in a scope of its own. */
static void compare_event(void)
{
    enum { SIZE = sizeof(struct epoll_event), DATA = offsetof(struct epoll_event, data) };

    // [event]
    struct epoll_event {
        uint32_t events; /* what to watch for; from epoll_wait(): what is ready */
        union {
            void *ptr;
            int fd;
            uint32_t u32;
            uint64_t u64;
        } data; /* a word of yours, which comes back with the event */
    } PACKED;
    // [/event]

    _Static_assert(sizeof(struct epoll_event) == SIZE, "the system's has another size");
    _Static_assert(offsetof(struct epoll_event, data) == DATA, "and another layout");
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// [look]
static void look(int epoll)
{
    char path[64], target[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", epoll);
    ssize_t size = readlink(path, target, sizeof target);
    printf("/proc/self/fd: %.*s\n", (int)size, target);

    struct pollfd other = {.fd = epoll, .events = POLLIN};
    printf("another loop: %d ready\n", poll(&other, 1, 0));
}
// [/look]

// [wait]
static void wait_three_ways(int epoll, int writer)
{
    struct epoll_event ready[8];

    printf("timeout 0: %d ready, it only looks\n", epoll_wait(epoll, ready, 8, 0));

    double start = now();
    int count = epoll_wait(epoll, ready, 8, 50); /* milliseconds */
    int in_time = now() - start >= 0.05;
    printf("timeout 50: %d ready, after 50 ms: %s\n", count, in_time ? "yes" : "no");

    if (write(writer, "x", 1) == 1) /* or the next call would never return */
        count = epoll_wait(epoll, ready, 8, -1);
    printf("timeout -1: %d ready, word %d comes back\n", count, (int)ready[0].data.u32);
}
// [/wait]

// [main]
static int run(void)
{
    int ends[2], epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 42}; /* any word of yours */

    if (epoll < 0 || pipe(ends) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) < 0)
        return 1;
    look(epoll);
    wait_three_ways(epoll, ends[1]);
    look(epoll);
    close(epoll);
    puts(fcntl(epoll, F_GETFD) < 0 ? "closed" : "still open");
    close(ends[0]);
    close(ends[1]);
    return 0;
}
// [/main]

int main(void)
{
    compare_event();
    return run();
}
