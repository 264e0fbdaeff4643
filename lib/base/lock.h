/* SPDX-License-Identifier: MIT */
/*
 * A lock of the whole process. read(), write(), open() and close() are places where
 * a thread may be cancelled: one that was while it kept the lock would stop all.
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
