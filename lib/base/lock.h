/* SPDX-License-Identifier: MIT */
/*
 * A process-wide lock. read(), write(), open() and close() are cancellation points: a
 * thread cancelled in one of them while it held the lock would block all the others for
 * good.
 */
#ifndef SEL_LOCK_H
#define SEL_LOCK_H

#include <pthread.h>

/* Returns what sel__unlock() takes. */
static inline int sel__lock(pthread_mutex_t *lock)
{
    int cancelling;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(lock);
    return cancelling;
}

static inline void sel__unlock(pthread_mutex_t *lock, int cancelling)
{
    pthread_mutex_unlock(lock);
    pthread_setcancelstate(cancelling, NULL);
}

#endif
