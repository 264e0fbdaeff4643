/* SPDX-License-Identifier: MIT */
/*
 * The number stands on a page of its own that is zero in a child: the kernel empties
 * it, also for _Fork() and clone(), which run no pthread_atfork() handler. A handler
 * does it where the kernel can't (before 4.14, and under some emulators).
 */
#include "fork.h"

#include "own.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic(atomic_uint *) sel__forks_mark;

/* With the lock of sel__lock_own(). */
static bool counting;
static bool empties_itself;
static unsigned int counted;

static void set_mark(unsigned int number)
{
    atomic_store(atomic_load(&sel__forks_mark), number);
}

static void in_child(void)
{
    if (!empties_itself)
        set_mark(0);
    sel__unlock_own();
}

/* An emulator that takes any advice, follows none: old qemu does so. */
static bool is_emptied_in_children(void *page, size_t size)
{
    return madvise(page, size, -1) < 0 && madvise(page, size, MADV_WIPEONFORK) == 0;
}

static int make_mark(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -ENOMEM;
    empties_itself = is_emptied_in_children(page, size);
    atomic_store(&sel__forks_mark, page);
    return 0;
}

static int begin(void)
{
    int error = atomic_load(&sel__forks_mark) == NULL ? make_mark() : 0;

    if (error == 0)
        error = -pthread_atfork(sel__lock_own, sel__unlock_own, in_child);
    return error;
}

int sel__count_forks(void)
{
    int error = 0;

    sel__lock_own();
    if (!counting)
        error = begin();
    counting = error == 0;
    if (counting && sel__forks() == 0)
        set_mark(++counted);
    sel__unlock_own();
    return error;
}
