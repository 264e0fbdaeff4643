/* SPDX-License-Identifier: MIT */
#include "uv/pool.h"

#include "base/fork.h"
#include "base/os.h"
#include "uv/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* As libuv has them. Its threads have stacks of their own size from 1.45 on. */
enum { USUAL = 4, MOST = 1024, STACK_SIZE = 8 << 20 };

typedef struct {
    uv_thread_t thread;
    pthread_mutex_t *gate;
    pid_t id;
} trial;

/*
 * sel__forks() + 1 of the process that it is so in: a child's libuv starts threads of
 * its own, and what a thread of the parent's was trying is nothing to the child.
 */
static atomic_uint tried_in, trying_in;

/* How many libuv will start, by the words that it reads, in its way: -1 is very many. */
static int count_threads(void)
{
    const char *given = getenv("UV_THREADPOOL_SIZE");
    unsigned int count = given != NULL ? (unsigned int)atoi(given) : USUAL;

    if (count == 0)
        return 1;
    return count > MOST ? MOST : (int)count;
}

static void pass_gate(void *data)
{
    trial *self = data;

    self->id = gettid();
    pthread_mutex_lock(self->gate);
    pthread_mutex_unlock(self->gate);
}

/* All of them are there until the gate is opened; returns how many. */
static int start(trial *trials, int count, pthread_mutex_t *gate, int *ret_error)
{
    uv_thread_options_t options = {
        .flags = uv_version() < SEL__LIBUV_1_45 ? UV_THREAD_NO_FLAGS :
                                                  UV_THREAD_HAS_STACK_SIZE,
        .stack_size = STACK_SIZE,
    };
    int made = 0;

    *ret_error = 0;
    while (made < count && *ret_error == 0) {
        trials[made].gate = gate;
        *ret_error = uv_thread_create_ex(&trials[made].thread, &options, pass_gate,
                                         &trials[made]);
        made += *ret_error == 0;
    }
    return made;
}

static void end(trial *each)
{
    uv_thread_join(&each->thread);
    while (SEL__THREAD_IS_THERE(each->id))
        sched_yield();
}

/* Make as many threads as libuv will, and end them again; no signal goes to them. */
static int try_threads(trial *trials, int count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    sigset_t all, before;
    int error, made;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&gate);
    made = start(trials, count, &gate, &error);
    pthread_mutex_unlock(&gate);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    while (made > 0)
        end(&trials[--made]);
    return error;
}

static int try_once(unsigned int process)
{
    int count = count_threads();
    trial *trials;
    int error;

    if (atomic_load(&tried_in) == process)
        return 0;
    trials = calloc((size_t)count, sizeof *trials);
    if (trials == NULL)
        return -ENOMEM;
    error = try_threads(trials, count);
    free(trials);
    if (error == 0)
        atomic_store(&tried_in, process);
    return error;
}

/* One thread at a time: what another has in its trial libuv would lack. */
int sel__try_pool(void)
{
    unsigned int process = sel__forks() + 1;
    int error;

    if (atomic_load(&tried_in) == process)
        return 0;
    while (atomic_exchange(&trying_in, process) == process)
        sched_yield();
    error = try_once(process);
    atomic_store(&trying_in, 0);
    return error;
}
