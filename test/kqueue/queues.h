/* SPDX-License-Identifier: MIT */
/* Within test/kqueue: the queues by number, and what is in one. */
#ifndef TEST_KQUEUE_QUEUES_H
#define TEST_KQUEUE_QUEUES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum { FILTERS = 3 };

#pragma GCC visibility push(hidden) /* the program may have names of its own like these */

typedef struct {
    bool is_there, is_enabled;
    uint16_t flags; /* of EV_CLEAR, EV_ONESHOT and EV_DISPATCH */
    void *udata;
} knote;

/* A number in a queue. */
typedef struct {
    knote knotes[FILTERS];
    uint32_t generation; /* comes back with the set's event; 0: no knote */
    uint32_t told;       /* the round in which it was last reported */
    unsigned turn;       /* which filter comes first where there is room for one */
    bool is_in_set, is_file;
} watch;

typedef struct {
    watch *watches; /* by number */
    int capacity;
    int numbers; /* that mean this queue */
    int files;   /* of the watches */
    bool is_foreign; /* an epoll set that is not ours to close */
    uint32_t generation, round;
} queue;

/* As a system call: the program may count its own calls of epoll_ctl(). */
int control(int set, int operation, int fd, struct epoll_event *event);

/* All of this is done between the two; in a child the first forgets the parent's queues. */
void enter(void);
void let_go(void);

/*
 * The queue of a number, or NULL; one that fcntl() made is known by its file. Any other epoll
 * set becomes one: where libuv has its own set, it stands for libuv's kqueue.
 */
queue *find_queue(int number);
/* Another number of a queue. 0 or ENOMEM. */
int name(queue *q, int number);

/* A number's place in a queue: NULL where there is none, or no memory for a new one. */
watch *watch_of(queue *q, int fd);
watch *add_watch(queue *q, int fd);
/* `number` is the queue's. */
void forget(queue *q, int number, int fd);

#pragma GCC visibility pop

#endif
