/* SPDX-License-Identifier: MIT */
/*
 * select.select() itself, case by case: what goes in, what comes out, how long it
 * waits, what it can't be used for. docs/twins/select_call.py is the same program in
 * Python; both print the same.
 *
 * In C the call is sel_compat_select(). select(2) below it takes three bitmaps of
 * FD_SETSIZE bits, overwrites them with the answer, and stops at every signal.
 */
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"

#include <selkie.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LIST_MAX = 8 };

typedef struct {
    int fds[LIST_MAX];
    size_t count;
} fd_list;

#define LIST(...) ((fd_list){{__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)})

static const fd_list none;

/* The descriptors' names, because the output must not depend on numbers; the last
 * name given to a number counts. */
static struct {
    int fd;
    const char *name;
} names[16];
static size_t name_count;

static int named(const char *name, int fd)
{
    if (fd < 0)
        fail(EXIT_FAILURE, "cannot make %s: %s", name, strerror(errno));
    names[name_count].fd = fd;
    names[name_count++].name = name;
    return fd;
}

static void print_list(const char *what, fd_list list)
{
    printf(" %s [", what);
    for (size_t i = 0; i < list.count; i++) {
        size_t n = name_count - 1;
        while (n > 0 && names[n].fd != list.fds[i])
            n--;
        printf("%s%s", i > 0 ? ", " : "", names[n].name);
    }
    printf("]");
}

/* What Python raises when sel_compat_select() returns a negative errno. */
static const char *pythons_error(int error)
{
    return error == -EBADF ? "OSError EBADF" : "ValueError";
}

static void print_select(const char *what, fd_list r, fd_list w, fd_list x,
                         double timeout)
{
    int ready = sel_compat_select(r.fds, r.count, r.fds, &r.count, w.fds, w.count, w.fds,
                                  &w.count, x.fds, x.count, x.fds, &x.count, timeout);
    printf("%s:", what);
    if (ready < 0) {
        printf(" %s\n", pythons_error(ready));
        return;
    }
    print_list("readable", r);
    print_list("writable", w);
    print_list("exceptional", x);
    printf("\n");
}

static void three_lists(void)
{
    int empty[2], full[2];
    if (pipe(empty) < 0 || pipe(full) < 0 || write(full[1], "data", 4) != 4)
        fail(EXIT_FAILURE, "cannot make pipes: %s", strerror(errno));
    int quiet = named("quiet pipe", empty[0]), data = named("pipe with data", full[0]);
    int end = named("write end", empty[1]);

    puts("three lists in, three lists out");
    print_select("some are ready", LIST(quiet, data), LIST(end), LIST(quiet, data),
                 SEL_FOREVER);
    print_select("twice in, twice out", LIST(data, quiet, data), none, none, 0);
    print_select("it is told again", LIST(data), none, none, 0);
    char bytes[4];
    (void)!read(data, bytes, sizeof bytes);
    print_select("until it is read", LIST(data), none, none, 0);
    close(end);
    print_select("the other end is closed", LIST(quiet), none, none, 0);
    print_select("the end stays readable", LIST(quiet), none, none, 0);
}

static volatile sig_atomic_t alarms;
static int alarm_pipe[2];

static void on_alarm(int signum)
{
    (void)signum;
    alarms++;
    (void)!write(alarm_pipe[1], "!", 1);
}

static void count_alarm(int signum)
{
    (void)signum;
    alarms++;
}

/* Have `handler` called for SIGALRM in 50 ms, without SA_RESTART, and then every
 * `interval` microseconds; 0: only once. */
static void set_alarm(void (*handler)(int), int interval)
{
    const struct sigaction action = {.sa_handler = handler};
    const struct itimerval timer = {.it_value = {.tv_usec = 50000},
                                    .it_interval = {.tv_usec = interval}};
    alarms = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void timeouts(void)
{
    if (pipe(alarm_pipe) < 0)
        fail(EXIT_FAILURE, "cannot make a pipe: %s", strerror(errno));
    int told = named("alarm pipe", alarm_pipe[0]);

    puts("\ntimeouts");
    print_select("0 only looks", LIST(told), none, none, 0);
    double start = monotonic();
    print_select("0.1 waits so long", LIST(told), none, none, 0.1);
    printf("it was early: %s\n", yes_or_no(monotonic() - start < 0.1));
    start = monotonic();
    print_select("three empty lists wait too", none, none, none, 0.1);
    printf("it was early: %s\n", yes_or_no(monotonic() - start < 0.1));
    set_alarm(on_alarm, 0);
    print_select("None waits until something is ready", LIST(told), none, none,
                 SEL_FOREVER);
}

static void interruptions(void)
{
    static const struct itimerval off;

    puts("\na signal while it waits");
    set_alarm(count_alarm, 0);
    double start = monotonic();
    print_select("0.15, a signal after 0.05", none, none, none, 0.15);
    printf("signals: %d, it was early: %s\n", (int)alarms,
           yes_or_no(monotonic() - start < 0.15));
    set_alarm(count_alarm, 50000); /* again, in case the first one arrives before the wait */
    struct timeval timeout = {.tv_sec = 10};
    bool interrupted = select(0, NULL, NULL, NULL, &timeout) < 0 && errno == EINTR;
    setitimer(ITIMER_REAL, &off, NULL);
    printf("select(2) itself: %s\n", interrupted ? "EINTR" : "no error");
}

/* A connected pair over TCP: only TCP has urgent bytes. */
static void tcp_pair(int *client, int *conn)
{
    int listener = bound_socket(SOCK_STREAM);
    *client = checked(socket(AF_INET, SOCK_STREAM, 0), "make a socket");
    checked(listen(listener, 1), "listen");
    checked(-connect_ex(*client, port_of(listener)), "connect");
    *conn = checked(accept(listener, NULL, NULL), "accept");
    close(listener);
}

static void exceptional(void)
{
    int client, conn;
    char byte;
    tcp_pair(&client, &conn);
    named("connection", conn);

    puts("\nthe third list");
    print_select("a fresh connection", LIST(conn), LIST(conn), LIST(conn), 0);
    send(client, "!", 1, MSG_OOB);
    print_select("an urgent byte", LIST(conn), none, LIST(conn), SEL_FOREVER);
    (void)!recv(conn, &byte, 1, MSG_OOB);
    print_select("the byte is taken", LIST(conn), none, LIST(conn), 0);
    close(client);
    print_select("the client has gone", LIST(conn), none, LIST(conn), SEL_FOREVER);
}

/* A descriptor that an fd_set has no bit for. */
static int high_descriptor(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return fcntl(STDIN_FILENO, F_DUPFD, FD_SETSIZE);
}

static void no_good(void)
{
    FILE *file = tmpfile();
    int empty_file = named("empty file", file != NULL ? fileno(file) : -1);
    int directory = named("directory", open("/", O_RDONLY | O_DIRECTORY));
    int null = named("/dev/null", open("/dev/null", O_RDWR));

    int closed = dup(STDIN_FILENO);
    close(closed);

    puts("\nwhat it can't be used on");
    print_select("a negative number", LIST(-1), none, none, 0);
    print_select("a closed descriptor", LIST(closed), none, none, 0);
    printf("a descriptor of %d or more", FD_SETSIZE);
    print_select("", LIST(named("high", high_descriptor())), none, none, 0);
    puts("what is always ready, and so tells nothing");
    print_select("a file without a byte to read", LIST(empty_file), LIST(empty_file),
                 none, SEL_FOREVER);
    print_select("a directory and /dev/null", LIST(directory, null), LIST(null), none,
                 SEL_FOREVER);
}

int main(int argc, char **argv)
{
    static const command_option options[] = {{.name = NULL}};
    read_command_line(argc, argv, "Try select.select() case by case.", options);
    three_lists();
    timeouts();
    interruptions();
    exceptional();
    no_good();
    flush_stdout();
    return EXIT_SUCCESS;
}
