/* SPDX-License-Identifier: MIT */
/*
 * The queues of this process by number, and what makes a number mean another file: close(),
 * dup2(), dup3() and close_range() are here, and end the knotes that belong to it. What
 * fork() does is noticed by a page that the kernel clears in every child.
 */
#include "queues.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static queue **queues; /* by number */
static int capacity;
static bool *mark; /* true, and false in a child that has not forgotten yet */

/* --- the queues of this process --- */

static void release(int number)
{
    queue *q = number >= 0 && number < capacity ? queues[number] : NULL;

    if (q == NULL)
        return;
    queues[number] = NULL;
    if (--q->numbers > 0)
        return;
    free(q->watches);
    free(q);
}

/* In a child: a thread that held the lock is not there any more. */
static void forget_parents(void)
{
    pthread_mutex_init(&lock, NULL);
    for (int number = 0; number < capacity; number++)
        if (queues[number] != NULL) {
            bool is_foreign = queues[number]->is_foreign;

            release(number);
            if (!is_foreign)
                syscall(SYS_close, number);
        }
    *mark = true;
}

static void hold(void)
{
    pthread_mutex_lock(&lock);
}

void let_go(void)
{
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void begin(void)
{
    mark = mmap(NULL, sizeof *mark, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0);
    if (mark == MAP_FAILED || madvise(mark, sizeof *mark, MADV_WIPEONFORK) < 0)
        abort();
    *mark = true;
    pthread_atfork(hold, let_go, forget_parents);
}

void enter(void)
{
    if (!*mark)
        forget_parents();
    hold();
}

/* Make room for `index` in an array that is zero beyond what was written. */
static void *reach(void *array, int *length, int index, size_t size)
{
    int longer = index + 1 + index / 2;
    void *grown;

    if (index < *length)
        return array;
    grown = calloc((size_t)longer, size);
    if (grown == NULL)
        return NULL;
    if (array != NULL)
        memcpy(grown, array, (size_t)*length * size);
    free(array);
    *length = longer;
    return grown;
}

int name(queue *q, int number)
{
    queue **longer = reach(queues, &capacity, number, sizeof *queues);

    if (longer == NULL)
        return ENOMEM;
    queues = longer;
    queues[number] = q;
    q->numbers++;
    return 0;
}

static queue *adopt(int number)
{
    static const char kind[] = "anon_inode:[eventpoll]";
    char path[32], found[sizeof kind];
    queue *q;

    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    if (readlink(path, found, sizeof found) != sizeof kind - 1 ||
        memcmp(found, kind, sizeof kind - 1) != 0)
        return NULL;
    q = calloc(1, sizeof *q);
    if (q == NULL || name(q, number) != 0) {
        free(q);
        return NULL;
    }
    q->is_foreign = true;
    return q;
}

queue *find_queue(int number)
{
    pid_t self = getpid();

    if (number >= 0 && number < capacity && queues[number] != NULL)
        return queues[number];
    for (int known = 0; known < capacity; known++)
        if (queues[known] != NULL &&
            syscall(SYS_kcmp, self, self, KCMP_FILE, known, number) == 0)
            return name(queues[known], number) == 0 ? queues[number] : NULL;
    return adopt(number);
}

/* --- what is in a queue --- */

int control(int set, int operation, int fd, struct epoll_event *event)
{
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

watch *watch_of(queue *q, int fd)
{
    return fd < q->capacity && q->watches[fd].generation != 0 ? &q->watches[fd] : NULL;
}

void forget(queue *q, int number, int fd)
{
    watch *w = watch_of(q, fd);

    if (w == NULL)
        return;
    if (w->is_in_set)
        control(number, EPOLL_CTL_DEL, fd, &(struct epoll_event){0});
    q->files -= w->is_file;
    *w = (watch){.generation = 0};
}

watch *add_watch(queue *q, int fd)
{
    watch *longer = reach(q->watches, &q->capacity, fd, sizeof *q->watches);

    if (longer == NULL)
        return NULL;
    q->watches = longer;
    if (longer[fd].generation == 0) {
        q->generation += q->generation + 1 == 0 ? 2 : 1;
        longer[fd] = (watch){.generation = q->generation};
    }
    return &longer[fd];
}

/* --- what closes a number --- */

static void end_number(int fd)
{
    for (int number = 0; number < capacity; number++)
        if (queues[number] != NULL)
            forget(queues[number], number, fd);
    release(fd);
}

int close(int fd)
{
    int result;

    enter();
    end_number(fd);
    result = (int)syscall(SYS_close, fd);
    let_go();
    return result;
}

int dup3(int old, int fresh, int flags)
{
    int result;
    queue *q;

    enter();
    q = old >= 0 && old < capacity ? queues[old] : NULL;
    if (old != fresh && fcntl(old, F_GETFD) >= 0)
        end_number(fresh);
    result = (int)syscall(SYS_dup3, old, fresh, flags);
    if (result >= 0 && q != NULL && old != fresh)
        name(q, fresh);
    let_go();
    return result;
}

int dup2(int old, int fresh)
{
    if (old == fresh)
        return fcntl(old, F_GETFD) >= 0 ? fresh : -1;
    return dup3(old, fresh, 0);
}

/* Above what any queue has, and is. */
static int highest(void)
{
    int limit = capacity;

    for (int number = 0; number < capacity; number++)
        if (queues[number] != NULL && queues[number]->capacity > limit)
            limit = queues[number]->capacity;
    return limit;
}

int close_range(unsigned first, unsigned last, int flags)
{
    int result;

    enter();
    if (flags == 0)
        for (unsigned fd = first; fd <= last && fd < (unsigned)highest(); fd++)
            end_number((int)fd);
    result = (int)syscall(SYS_close_range, first, last, flags);
    let_go();
    return result;
}
