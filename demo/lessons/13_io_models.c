/* SPDX-License-Identifier: MIT */
/*
 * Five ways to receive the same answer, and who waits for whom meanwhile.
 * docs/twins/io_models.py is the same program in Python.
 *
 * Data arrives first in the kernel's memory, then in ours, so receiving has two
 * phases: waiting until the data is in the kernel, and copying it out of there.  The
 * five models differ in who waits during the first phase, and how; in all but the
 * last, our own call does the second.
 *
 * The peer is a process that takes DELAY_MS to answer, as a distant one would.  Times
 * are in milliseconds since the question; no decision depends on them.
 */
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"
#include "kit/uring.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DELAY_MS = 50, ANSWER_SIZE = 64 };

static double question_time;

/* One line of the timeline: what happened from `start` to `end`. */
__attribute__((format(printf, 3, 4))) static void step(double start, double end,
                                                       const char *format, ...)
{
    va_list arguments;
    printf("  %5.1f to %5.1f ms  ", 1e3 * (start - question_time),
           1e3 * (end - question_time));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

static void tell_phases(const char *waiting, const char *copying)
{
    printf("  waiting: %s; copying: %s\n", waiting, copying);
}

/* Say that we are here; answer each question after a while, until there are no more. */
static _Noreturn void be_the_peer(int sock)
{
    char question;
    const struct timespec delay = {.tv_nsec = DELAY_MS * 1000000L};
    send(sock, "!", 1, MSG_NOSIGNAL);
    while (recv(sock, &question, 1, 0) == 1) {
        nanosleep(&delay, NULL);
        send(sock, "answer", strlen("answer"), MSG_NOSIGNAL);
    }
    _exit(0);
}

static double ask(int sock)
{
    question_time = monotonic();
    checked((int)send(sock, "?", 1, MSG_NOSIGNAL), "ask");
    return question_time;
}

/* What the program could do instead of waiting. */
static void work(long *units)
{
    for (volatile int i = 0; i < 1000; i++)
        continue;
    ++*units;
}

static void blocking(int sock)
{
    char answer[ANSWER_SIZE];
    puts("blocking");
    double start = ask(sock);
    int size = checked((int)recv(sock, answer, sizeof answer, 0), "receive");
    step(start, monotonic(), "recv() sleeps, then copies %d bytes", size);
    tell_phases("asleep in recv()", "in recv()");
}

static void non_blocking(int sock)
{
    char answer[ANSWER_SIZE];
    long refused = 0;
    ssize_t size;
    puts("non-blocking");
    fcntl(sock, F_SETFL, O_NONBLOCK);
    double start = ask(sock);
    while ((size = recv(sock, answer, sizeof answer, 0)) < 0 && errno == EAGAIN)
        refused++;
    step(start, monotonic(), "recv() says EAGAIN, %ld times; the last copies %zd bytes",
         refused, size);
    tell_phases("awake, asking again and again", "in recv()");
    fcntl(sock, F_SETFL, 0);
}

static void multiplexing(int sock)
{
    char answer[ANSWER_SIZE];
    struct pollfd readable = {.fd = sock, .events = POLLIN}; /* it could be thousands */
    puts("multiplexing");
    double start = ask(sock);
    checked(poll(&readable, 1, -1), "poll");
    double ready = monotonic();
    int size = checked((int)recv(sock, answer, sizeof answer, 0), "receive");
    step(start, ready, "poll() sleeps, until one of its descriptors is ready");
    step(ready, monotonic(), "recv() copies %d bytes", size);
    tell_phases("asleep in poll(), for any number of peers", "in recv()");
}

static volatile sig_atomic_t told;

static void on_sigio(int signum)
{
    (void)signum;
    told = 1;
}

/* F_SETSIG may select another signal; a real-time one queues and names the descriptor. */
static void signal_driven(int sock)
{
    char answer[ANSWER_SIZE];
    long units = 0;
    ssize_t size = -1;
    const struct sigaction action = {.sa_handler = on_sigio};
    puts("signal-driven");
    sigaction(SIGIO, &action, NULL);
    fcntl(sock, F_SETOWN, getpid());
    fcntl(sock, F_SETSIG, SIGIO);
    fcntl(sock, F_SETFL, O_NONBLOCK | O_ASYNC);
    double start = ask(sock), signalled = start;
    while (size < 0) { /* a signal is only a hint: there may be nothing yet */
        while (!told)
            work(&units);
        told = 0;
        signalled = monotonic();
        size = recv(sock, answer, sizeof answer, 0);
    }
    step(start, signalled, "the program works, %ld units, until SIGIO comes", units);
    step(signalled, monotonic(), "recv() copies %zd bytes", size);
    tell_phases("the kernel; the program works", "in recv()");
    fcntl(sock, F_SETFL, 0);
}

/* The C library's asynchronous I/O: a thread that blocks on our behalf. */
static int receive_by_thread(int sock, char *answer, long *units)
{
    struct aiocb request = {.aio_fildes = sock,
                            .aio_buf = answer,
                            .aio_nbytes = ANSWER_SIZE,
                            .aio_sigevent = {.sigev_notify = SIGEV_NONE}};
    checked(aio_read(&request), "start to read");
    while (aio_error(&request) == EINPROGRESS)
        work(units);
    return (int)aio_return(&request);
}

static int receive_by_uring(uring *ring, int sock, char *answer, long *units)
{
    int size = uring_recv(ring, sock, answer, ANSWER_SIZE);
    while (size == 0 && !uring_done(ring, &size))
        work(units);
    return size;
}

static void asynchronous(int sock)
{
    char answer[ANSWER_SIZE];
    long units = 0;
    uring *ring = uring_open();
    printf("asynchronous (%s)\n",
           ring != NULL ? "io_uring" : "no io_uring here: a thread that reads");
    double start = ask(sock);
    int size = ring != NULL ? receive_by_uring(ring, sock, answer, &units)
                            : receive_by_thread(sock, answer, &units);
    step(start, monotonic(), "the program works, %ld units, until it has %d bytes", units,
         size);
    if (ring == NULL) {
        tell_phases("a thread; the program works", "in the thread's call");
        return;
    }
    tell_phases("the kernel; the program works", "the kernel; no call of ours");
    uring_close(ring);
}

/*
 * A file's data goes through the kernel, too: what was written or read lately is in
 * the page cache, and reading it again does not wait for the disk.  RWF_NOWAIT reads
 * only what is there.
 */
static void page_cache(void)
{
    char page[4096] = "";
    const struct iovec bytes = {page, sizeof page};
    FILE *file = tmpfile();
    if (file == NULL || fwrite(page, 1, sizeof page, file) < sizeof page || fflush(file))
        fail(EXIT_FAILURE, "cannot write a file: %s", strerror(errno));
    ssize_t size = preadv2(fileno(file), &bytes, 1, 0, RWF_NOWAIT);
    puts("the page cache");
    if (size < 0 && errno == EOPNOTSUPP)
        puts("  this file system doesn't say what is in it");
    else
        printf("  of %zu bytes just written, read without waiting: %zd\n", sizeof page,
               size);
    fclose(file);
}

int main(int argc, char **argv)
{
    static const command_option options[] = {{.name = NULL}};
    int pair[2];
    char here;
    read_command_line(argc, argv, "Receive the same answer in five ways.", options);
    open_pair(SOCK_STREAM, pair);
    pid_t peer = checked(fork(), "fork");
    if (peer == 0) {
        close(pair[0]);
        be_the_peer(pair[1]);
    }
    close(pair[1]);
    checked((int)recv(pair[0], &here, 1, 0), "hear the peer"); /* it takes time to begin */

    blocking(pair[0]);
    non_blocking(pair[0]);
    multiplexing(pair[0]);
    signal_driven(pair[0]);
    asynchronous(pair[0]);
    page_cache();

    close(pair[0]); /* the peer's end of the questions */
    waitpid(peer, NULL, 0);
    flush_stdout();
    return EXIT_SUCCESS;
}
