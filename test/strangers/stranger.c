/* SPDX-License-Identifier: MIT */
/* What the strangers share. */
#include "stranger.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BOUND = 100, BOUND_OF_CHILD = 50 }; /* seconds for one round */

static uint64_t seed, state;
static unsigned slower = 1; /* times, under an instrument */
static const char *backend_name = "";

_Noreturn void stranger_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so on %s: %s\nrepeat it with TEST_SEED=%llu %s\n", file,
            line, backend_name, what, (unsigned long long)seed, backend_name);
    abort();
}

void stranger_same(const char *file, int line, const char *what, long is, long wanted)
{
    if (is != wanted) {
        fprintf(stderr, "%ld, not %ld: ", is, wanted);
        stranger_fail(file, line, what);
    }
}

unsigned pick_from(uint64_t *from, unsigned below)
{
    *from += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *from;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

unsigned pick(unsigned below)
{
    return pick_from(&state, below);
}

sel_backend pick_backend(void)
{
    unsigned count = sel_backend_available(SEL_BACKEND_KQUEUE) ? 5 : 4;

    return (sel_backend)(SEL_BACKEND_UV + pick(count));
}

bool has_fileno(sel_backend backend)
{
    return backend != SEL_BACKEND_POLL && backend != SEL_BACKEND_SELECT;
}

int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

bool make_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0;
}

int look(int fd, int events)
{
    struct pollfd polled = {.fd = fd};
    if (events & SEL_EVENT_READ)
        polled.events |= POLLIN;
    if (events & SEL_EVENT_WRITE)
        polled.events |= POLLOUT;
    if (events & SEL_EVENT_EXCEPT)
        polled.events |= POLLPRI;
    CHECK(poll(&polled, 1, 0) >= 0);
    CHECK((polled.revents & POLLNVAL) == 0);
    if (polled.revents & (POLLHUP | POLLERR))
        return events;
    return ((polled.revents & POLLIN) != 0 ? SEL_EVENT_READ : 0) |
           ((polled.revents & POLLOUT) != 0 ? SEL_EVENT_WRITE : 0) |
           ((polled.revents & POLLPRI) != 0 ? SEL_EVENT_EXCEPT : 0);
}

pid_t fork_bounded(void)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        alarm(BOUND_OF_CHILD * slower);
    return child;
}

int wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void nothing(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

/* libuv's first loop of a process opens descriptors that stay. */
void stranger_warm_up(void)
{
    sel_selector *sel;
    CHECK_IS(sel_open(SEL_BACKEND_UV, &sel), 0);
    CHECK_IS(sel_add_signal_handler(sel, SIGWINCH, nothing, NULL), 0);
    CHECK_IS(sel_close(sel), 0);
}

static void run_rounds(sel_backend backend, int rounds,
                       void (*round)(sel_backend backend))
{
    for (int i = 0; i < rounds; i++) {
        alarm(BOUND * slower);
        int before = count_descriptors();
        state = seed;
        round(backend);
        CHECK_IS(count_descriptors(), before);
        seed++;
    }
}

/* A careless parent leaves its own mask, and strangers send themselves signals. */
static void unblock_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int stranger_main(int argc, char **argv, int rounds, void (*round)(sel_backend backend))
{
    static const char *const names[] = {"", "uv", "epoll", "poll", "select", "kqueue"};
    const char *given_seed = getenv("TEST_SEED"), *given_rounds = getenv("TEST_ROUNDS");
    const char *only = argc > 1 ? argv[1] : getenv("TEST_BACKEND");
    const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
    struct timespec now;

    unblock_signals();
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t first = (uint64_t)now.tv_sec * 1000000007 + (uint64_t)getpid();
    if (given_seed != NULL)
        first = strtoull(given_seed, NULL, 10);
    if (given_rounds != NULL)
        rounds = atoi(given_rounds);
    if (multiplier != NULL && atoi(multiplier) > 1)
        slower = (unsigned)atoi(multiplier);
    printf("seed: %llu, rounds: %d\n", (unsigned long long)first, rounds);
    fflush(stdout);
    for (int backend = SEL_BACKEND_UV; backend <= SEL_BACKEND_KQUEUE; backend++) {
        if (!sel_backend_available((sel_backend)backend))
            continue;
        backend_name = names[backend];
        seed = first;
        if (only == NULL || strcmp(only, backend_name) == 0)
            run_rounds((sel_backend)backend, rounds, round);
    }
    return 0;
}
