/* SPDX-License-Identifier: MIT */
/*
 * Six ways that threads and processes share something, or don't.
 *
 * Threads have one memory; a forked process has a copy.  What a process is to learn
 * from another has to be sent as bytes, be kept by a third, or lie in memory that both
 * have mapped, which shared_memory shows.  Every child here ends before its part does.
 * docs/twins/between_processes.py is the same program in Python.
 */
#include "kit/blocking.h"
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/process.h"
#include "lessons/18_manager.h"

#include <selkie.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ADDERS = 4, ADDITIONS = 1000, MANAGED = 10, QUEUE_SIZE = 8 };

/* queue.Queue, for a few words: get() waits until there is one. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    const char *words[QUEUE_SIZE];
    int count;
} word_queue;

static word_queue queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .filled = PTHREAD_COND_INITIALIZER};

static void queue_put(const char *word)
{
    pthread_mutex_lock(&queue.lock);
    queue.words[queue.count++] = word;
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

static const char *queue_get(void)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0)
        pthread_cond_wait(&queue.filled, &queue.lock);
    const char *word = queue.words[0];
    memmove(queue.words, queue.words + 1, (size_t)--queue.count * sizeof *queue.words);
    pthread_mutex_unlock(&queue.lock);
    return word;
}

static void *put_hello(void *data)
{
    (void)data;
    queue_put("hello");
    return NULL;
}

static void threads_share(void)
{
    pthread_t thread;
    check(-pthread_create(&thread, NULL, put_hello, NULL), "start a thread");
    printf("threads share: a thread has put '%s' into the queue\n", queue_get());
    pthread_join(thread, NULL);
}

static void fork_copies(void)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        queue_put("hello");
        _exit(queue.count);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("a fork copies: the child's queue has %d, its parent's %d\n",
           WEXITSTATUS(status), queue.count);
}

typedef struct {
    int number;
    char text[64];
} message;

/* Sent as bytes that mean the same anywhere: sizes and numbers in network order. */
static void send_message(int fd, int number, const char *text)
{
    uint32_t head[2] = {htonl((uint32_t)strlen(text)), htonl((uint32_t)number)};
    if (send_all(fd, head, sizeof head) < 0 || send_all(fd, text, strlen(text)) < 0)
        fail(EXIT_FAILURE, "the other process is gone");
}

static message receive_message(int fd)
{
    message got = {0};
    uint32_t head[2];
    bool whole = receive_all(fd, head, sizeof head);
    size_t size = whole ? ntohl(head[0]) : 0;
    if (!whole || size >= sizeof got.text || !receive_all(fd, got.text, size))
        fail(EXIT_FAILURE, "no message came");
    got.number = (int)ntohl(head[1]);
    return got;
}

static _Noreturn void exchange(int fd)
{
    send_message(fd, 11, "hello from the child");
    send_message(fd, 22, "hello again");
    message got = receive_message(fd);
    got.number++;
    send_message(fd, got.number, got.text);
    _exit(EXIT_SUCCESS);
}

static void pair_carries(void)
{
    int ends[2];
    open_pair(SOCK_STREAM, ends);
    pid_t pid = fork_child();
    if (pid == 0) {
        close(ends[0]);
        exchange(ends[1]);
    }
    close(ends[1]);
    send_message(ends[0], 20, "hello from the parent");
    for (int i = 0; i < 3; i++) {
        message got = receive_message(ends[0]);
        printf("a pair carries: %d '%s'\n", got.number, got.text);
    }
    close(ends[0]);
    waitpid(pid, NULL, 0);
}

/* In one write() of at most PIPE_BUF bytes: nobody else's gets between. */
static _Noreturn void write_sum(int fd, int first)
{
    int sum = 0;
    for (int i = first; i < first + ADDITIONS; i++)
        sum += i;
    _exit(write(fd, &sum, sizeof sum) == sizeof sum ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void pipe_collects(void)
{
    int ends[2], sum, total = 0;
    if (pipe(ends) < 0)
        fail(EXIT_FAILURE, "cannot make a pipe: %s", strerror(errno));
    for (int i = 0; i < ADDERS; i++)
        if (fork_child() == 0)
            write_sum(ends[1], i * ADDITIONS);
    close(ends[1]); /* or read() would wait for us after the last of them */
    while (read(ends[0], &sum, sizeof sum) == sizeof sum)
        total += sum;
    close(ends[0]);
    wait_for_all(ADDERS);
    printf("a pipe collects: %d processes have summed up %d\n", ADDERS, total);
}

static _Noreturn void use_manager(const manager *server, int number)
{
    char request[64], answer[64];
    int fd = connect_to_manager(server);
    snprintf(request, sizeof request, "append %d", number);
    ask_manager(fd, request, answer, sizeof answer);
    ask_manager(fd, "add processes 1", answer, sizeof answer);
    snprintf(request, sizeof request, "add sum %d", number);
    ask_manager(fd, request, answer, sizeof answer);
    _exit(EXIT_SUCCESS);
}

static void manager_keeps(void)
{
    manager server = start_manager();
    for (int number = 1; number <= MANAGED; number++)
        if (fork_child() == 0)
            use_manager(&server, number);
    wait_for_all(MANAGED);
    char answer[2048];
    int fd = connect_to_manager(&server);
    ask_manager(fd, "dict", answer, sizeof answer);
    printf("a manager keeps: %s\n", answer);
    ask_manager(fd, "list", answer, sizeof answer);
    printf("a manager keeps, in the order they came: %s\n", answer);
    close(fd);
    stop_manager(&server);
}

static void signalled(sel_selector *sel, void *data)
{
    (void)sel;
    const pid_t *child = data;
    puts("signals tell: SIGUSR1 has come from the child");
    kill(*child, SIGTERM);
}

static void child_ended(sel_selector *sel, void *data)
{
    const pid_t *child = data;
    int status;
    if (waitpid(*child, &status, WNOHANG) != *child)
        return;
    printf("signals tell: the child was ended by signal %d\n", WTERMSIG(status));
    sel_stop(sel);
}

static void signals_tell(void)
{
    pid_t child = 0;
    int ends[2];
    open_pair(SOCK_STREAM, ends);
    sel_selector *sel = NULL;
    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    check(sel_add_signal_handler(sel, SIGUSR1, signalled, &child), "watch SIGUSR1");
    check(sel_add_signal_handler(sel, SIGCHLD, child_ended, &child), "watch SIGCHLD");
    child = fork_child();
    if (child == 0) {
        close(ends[0]);
        kill(getppid(), SIGUSR1);
        receive_all(ends[1], &(char){0}, 1); /* until a signal, or the parent's end */
        _exit(EXIT_SUCCESS);
    }
    check(sel_run(sel), "wait");
    sel_close(sel);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **argv)
{
    const command_option no_options[] = {{0}};
    read_command_line(argc, argv,
                      "Six ways that threads and processes share something, or don't.",
                      no_options);
    void (*const parts[])(void) = {threads_share, fork_copies,   pair_carries,
                                   pipe_collects, manager_keeps, signals_tell};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        parts[i]();
        flush_stdout();
    }
    return EXIT_SUCCESS;
}
