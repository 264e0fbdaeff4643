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

/* As in libuv, which sets its threads' stack size from 1.45 on. */
enum { USUAL = 4, MOST = 1024, STACK_SIZE = 8 << 20 };

typedef struct {
    uv_thread_t thread;
    pthread_mutex_t *gate;
    pid_t id;
} trial;

/*
 * sel__forks() + 1 of the process that has tried, or is trying: a child's libuv starts
 * threads of its own, and a trial that one of the parent's threads was making is
 * nothing to the child.
 */
static atomic_uint tried_in, trying_in;

/* How many threads libuv will start. It parses the variable in this way: -1 is very many. */
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

/* They all wait until the gate opens. Returns how many there are. */
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

/* A joined thread counts against the limits until the kernel has let go of it. */
static void end(trial *each)
{
    uv_thread_join(&each->thread);
    while (SEL__THREAD_IS_THERE(each->id))
        sched_yield();
}

/* Start as many threads as libuv will, and end them again. They get no signals. */
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

/* One trial at a time: the threads of another one would be missing for libuv. */
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
