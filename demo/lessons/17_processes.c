/* SPDX-License-Identifier: MIT */
/*
 * Several processes: who starts whom, a thread inside each, and how each ends.
 *
 * A parent learns of a child's end by SIGCHLD and must call waitpid() for it, or the
 * child stays a zombie.  Signals coalesce, so it calls until no other child has
 * ended.  A process whose parent has ended gets a new parent: here this process,
 * which has asked for orphans. docs/twins/processes.py is the same program in Python.
 */
#include "kit/blocking.h"
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/process.h"

#include <selkie.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 100, LINE_SIZE = 512 };

typedef struct {
    pid_t pid;
    int fd; /* our end of a socket pair; closing it tells the child to end */
    int status; /* -1: it is running */
    char report[LINE_SIZE];
} child_process;

typedef struct {
    sel_selector *sel;
    int count, reports, running;
    child_process children[PROCESSES_MAX];
    child_process middle; /* the orphan's parent */
    int orphan; /* our end of its pair */
    bool interrupted;
} process_family;

static void *tell_thread(void *data)
{
    *(pid_t *)data = gettid();
    return NULL;
}

static void wait_for_end(int fd)
{
    char byte;
    receive_all(fd, &byte, 1);
}

static _Noreturn void run_child(int fd, int number)
{
    pid_t thread_id = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, tell_thread, &thread_id) == 0)
        pthread_join(thread, NULL);
    send_line(fd, "child %d: process %d, its parent %d, threads %d and %d", number,
              getpid(), getppid(), gettid(), thread_id);
    wait_for_end(fd);
    _exit(number);
}

static void start_child(process_family *family, int number)
{
    child_process *child = &family->children[number - 1];
    int ends[2];
    open_pair(SOCK_STREAM, ends);
    pid_t pid = fork_child();
    if (pid == 0) {
        close(ends[0]);
        /* If this child kept our ends of the others' pairs, they would not see their end. */
        for (int i = 0; i < number - 1; i++)
            close(family->children[i].fd);
        run_child(ends[1], number);
    }
    close(ends[1]);
    child->pid = pid;
    child->fd = ends[0];
    child->status = -1;
    family->running++;
}

static void print_end(const child_process *child, int number)
{
    if (WIFSIGNALED(child->status))
        printf("child %d was ended by signal %d\n", number, WTERMSIG(child->status));
    else
        printf("child %d ended with %d\n", number, WEXITSTATUS(child->status));
}

/* In the middle process: start the orphan-to-be, and end when told to. */
static _Noreturn void run_middle(int fd, int orphan)
{
    if (fork_child() == 0) {
        close(fd);
        send_line(orphan, "grandchild: process %d, its parent %d", getpid(), getppid());
        wait_for_end(orphan);
        send_line(orphan, "grandchild: process %d, its parent now %d", getpid(),
                  getppid());
        _exit(EXIT_SUCCESS);
    }
    close(orphan);
    wait_for_end(fd);
    _exit(EXIT_SUCCESS);
}

static void print_orphan(process_family *family)
{
    char line[LINE_SIZE];
    if (receive_line(family->orphan, line, sizeof line))
        puts(line);
    flush_stdout();
}

/* The grandchild has reported who its parent is, which may end now. */
static void orphan_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    process_family *family = key->data;
    print_orphan(family);
    sel_unregister(sel, family->orphan);
    close(family->middle.fd);
}

static void start_grandchild(process_family *family)
{
    int ends[2], orphan[2];
    open_pair(SOCK_STREAM, ends);
    open_pair(SOCK_STREAM, orphan);
    pid_t pid = fork_child();
    if (pid == 0) {
        close(ends[0]);
        close(orphan[0]);
        run_middle(ends[1], orphan[1]);
    }
    close(ends[1]);
    close(orphan[1]);
    family->middle = (child_process){.pid = pid, .fd = ends[0], .status = -1};
    family->orphan = orphan[0];
    check(sel_register(family->sel, family->orphan, SEL_EVENT_READ, orphan_cb, family),
          "watch a child");
}

static void all_ended(process_family *family)
{
    for (int i = 0; i < family->count; i++)
        print_end(&family->children[i], i + 1);
    flush_stdout();
    start_grandchild(family);
}

static void one_ended(process_family *family, pid_t pid, int status)
{
    for (int i = 0; i < family->count; i++)
        if (family->children[i].pid == pid) {
            family->children[i].status = status;
            if (--family->running == 0 && !family->interrupted)
                all_ended(family);
            return;
        }
    if (pid == family->middle.pid) {
        send_all(family->orphan, "!", 1);
        print_orphan(family);
    } else {
        puts("the grandchild has ended too");
        close(family->orphan);
        sel_stop(family->sel);
    }
}

/* SIGCHLD: at least one has ended. */
static void reap(sel_selector *sel, void *data)
{
    (void)sel;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        one_ended(data, pid, status);
}

/* Every child but the last ends when its pair is closed; a signal ends the last. */
static void let_go(process_family *family)
{
    for (int i = 0; i < family->count; i++)
        puts(family->children[i].report);
    flush_stdout();
    kill(family->children[family->count - 1].pid, SIGTERM);
    for (int i = 0; i < family->count - 1; i++)
        close(family->children[i].fd);
}

static void report_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    process_family *family = key->data;
    sel_unregister(sel, key->fd);
    for (int i = 0; i < family->count; i++)
        if (family->children[i].fd == key->fd)
            receive_line(key->fd, family->children[i].report, LINE_SIZE);
    if (++family->reports == family->count)
        let_go(family);
}

/* When this process has ended, the children see the end of their pairs. */
static void interrupted(sel_selector *sel, void *data)
{
    process_family *family = data;
    family->interrupted = true;
    sel_stop(sel);
}

int main(int argc, char **argv)
{
    static process_family family = {.count = 3};
    const command_option options[] = {{"count", 'c', "N", "how many to start (3)",
                                       .number = &family.count, .lowest = 1,
                                       .highest = PROCESSES_MAX},
                                      {0}};
    read_command_line(argc, argv, "Start several processes and see who is whose parent.",
                      options);
    check(sel_open(SEL_BACKEND_DEFAULT, &family.sel), "open a selector");
    sel_selector *sel = family.sel;
    check(sel_add_signal_handler(sel, SIGCHLD, reap, &family), "watch SIGCHLD");
    check(sel_add_signal_handler(sel, SIGINT, interrupted, &family), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, interrupted, &family), "watch SIGTERM");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    printf("main: process %d\n", getpid());
    for (int number = 1; number <= family.count; number++)
        start_child(&family, number);
    for (int i = 0; i < family.count; i++)
        check(sel_register(sel, family.children[i].fd, SEL_EVENT_READ, report_cb,
                           &family),
              "watch a child");

    check(sel_run(sel), "wait");

    sel_close(sel);
    flush_stdout();
    return EXIT_SUCCESS;
}
