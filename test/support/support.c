/* SPDX-License-Identifier: MIT */
/*
 * What the test programs share. A failure in here ends the test that called it, so no
 * test goes on with half of what it needs.
 */
#include "support/os.h"
#include "support/support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int descriptors_before;

const char *const backend_names[BACKENDS] = {"uv", "epoll", "kqueue", "poll", "select"};

sel_backend backend_at(int i)
{
    static const sel_backend backends[BACKENDS + 1] = {
        SEL_BACKEND_UV,   SEL_BACKEND_EPOLL,  SEL_BACKEND_KQUEUE,
        SEL_BACKEND_POLL, SEL_BACKEND_SELECT, SEL_BACKEND_DEFAULT,
    };

    return backends[i];
}

/* The default is one of the others. */
bool has_backend(int i)
{
    const char *only = getenv("TEST_BACKEND");

    if (i == BACKENDS)
        return only == NULL;
    return sel_backend_available(backend_at(i)) &&
           (only == NULL || strcmp(only, backend_names[i]) == 0);
}

bool remembers_files(int i)
{
    return backend_at(i) != SEL_BACKEND_KQUEUE;
}

int next_backend(int i)
{
    do
        i++;
    while (i < BACKENDS && !has_backend(i));
    return i;
}

int first_backend(void)
{
    return next_backend(-1);
}

bool runs_on(int i, int turn, int end)
{
    int place = 0, count = 0;

    for (int j = 0; j < end; j++) {
        place += j < i && has_backend(j);
        count += has_backend(j);
    }
    return has_backend(i) && (getenv("TEST_TAKES_TURNS") == NULL || place == turn % count);
}

int next_turn(void)
{
    static int turn;

    return turn++;
}

sel_selector *open_selector(int i)
{
    sel_selector *sel = NULL;

    assert_ok(sel_open(backend_at(i), &sel));
    ck_assert_ptr_nonnull(sel);
    return sel;
}

int raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        abort(); /* check's own would need a test that runs */
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        abort();
    return limit.rlim_max < INT_MAX ? (int)limit.rlim_max : INT_MAX;
}

int limit_count(sel_selector *sel, int wanted)
{
    bool is_select = strcmp(sel_backend_name(sel), "select") == 0;
    int limit = raise_descriptor_limit();
    int allowed = (limit - limit / 64 - 64) / 12 * 12; /* the others are the library's */

    if (is_select && wanted > 900)
        wanted = 900;
    return wanted < allowed ? wanted : allowed;
}

bool may_open(int descriptors, const char *test)
{
    int limit = raise_descriptor_limit();

    if (limit >= descriptors)
        return true;
    printf("left out %s: it needs %d descriptors, and %d are allowed\n", test, descriptors,
           limit);
    fflush(stdout);
    return false;
}

int count_descriptors(void)
{
    DIR *dir = opendir(DESCRIPTORS);
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 3; /* ".", ".." and dir's own */
}

bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}


void open_libuvs_first_loop(void)
{
    sel_selector *sel;

    if (sel_open(SEL_BACKEND_UV, &sel) == 0)
        sel_close(sel);
}

static void count_before(void)
{
    open_libuvs_first_loop();
    descriptors_before = count_descriptors();
}

static void compare_after(void)
{
    ck_assert_msg(count_descriptors() == descriptors_before,
                  "%d descriptors open before the test, %d after",
                  descriptors_before, count_descriptors());
    if (getenv("TEST_TELLS_END") != NULL) /* for whoever reads valgrind's report */
        fprintf(stderr, "test process %d ends\n", (int)getpid());
}

TCase *new_tcase(const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, count_before, compare_after);
    tcase_set_timeout(tcase, 60);
    return tcase;
}

/* A careless parent leaves signals blocked, and the tests send themselves signals. */
static void unblock_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    unsetenv("SELKIE_BACKEND"); /* the tests choose */
    unblock_signals();
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

uint64_t choose_seed(void)
{
    const char *given = getenv("TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)now_ns();

    printf("TEST_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

int choose_rounds(int quick)
{
    const char *given = getenv("TEST_ROUNDS");

    return given != NULL ? atoi(given) : quick;
}

/* splitmix64: any state is a good one. */
uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void make_pipe(int ends[2])
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

void make_socketpair(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

void make_tcp_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(listener, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(ends[0], 0);
    ck_assert_int_eq(connect(ends[0], (struct sockaddr *)&address, length), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(ends[1], 0);
    close(listener);
}

int make_eventfd(unsigned int value)
{
    int fd = eventfd(value, EFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

int open_closed_on_exec(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    return fd;
}

int open_regular_file(void)
{
    FILE *file = tmpfile();
    int fd;

    ck_assert_ptr_nonnull(file);
    fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    fclose(file);
    return fd;
}

int open_always_ready(void)
{
    bool has_null = access("/dev/null", R_OK) == 0; /* not in every chroot */

    return open_closed_on_exec(has_null ? "/dev/null" : "/");
}

int find_closed_descriptor(void)
{
    int fd = make_eventfd(0);

    close(fd);
    return fd;
}

void move_descriptor(int fd, int number)
{
    ck_assert_int_ne(fd, number);
    ck_assert_int_eq(dup3(fd, number, O_CLOEXEC), number);
    close(fd);
}

void close_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

void put_byte(int fd)
{
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

int replace_by_pipe(int number)
{
    int ends[2];

    close(number);
    make_pipe(ends);
    put_byte(ends[1]);
    if (ends[1] == number)
        ends[1] = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (ends[0] != number)
        move_descriptor(ends[0], number);
    return ends[1];
}

void take_byte(int fd)
{
    char byte;

    ck_assert_int_eq(read(fd, &byte, 1), 1);
}

void set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    ck_assert_int_ge(flags, 0);
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

void fill(int fd)
{
    static const char zeros[65536];
    bool was_nonblocking = (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;

    set_nonblocking(fd, true);
    while (write(fd, zeros, sizeof zeros) > 0)
        continue;
    while (write(fd, zeros, 1) > 0)
        continue;
    ck_assert_int_eq(errno, EAGAIN);
    set_nonblocking(fd, was_nonblocking);
}

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int find_mask(sel_selector *sel, int fd, double timeout)
{
    const sel_ready *ready;
    int count = sel_select(sel, timeout, &ready);

    ck_assert_int_ge(count, 0);
    for (int i = 0; i < count; i++)
        if (ready[i].key.fd == fd)
            return ready[i].mask;
    return 0;
}

int look(sel_selector *sel, int fd)
{
    return find_mask(sel, fd, 0);
}

int wait_for(sel_selector *sel, int fd)
{
    return find_mask(sel, fd, 5);
}

int count_ready(sel_selector *sel)
{
    const sel_ready *ready;
    int count = sel_select(sel, 0, &ready);

    ck_assert_int_ge(count, 0);
    return count;
}

void record_call(sel_selector *sel, const sel_key *key, int mask)
{
    call_record *record = key->data;

    (void)sel;
    record->calls++;
    record->mask = mask;
}

void assert_child_succeeds(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the child ended with status %#x", (unsigned int)status);
}
