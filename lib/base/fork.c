/* SPDX-License-Identifier: MIT */
/*
 * A process's mark is on a page of its own that reads as zero in a child: the kernel
 * clears it, even for _Fork() and clone(), which run no pthread_atfork() handlers.
 * Where the kernel can't (before 4.14, and under some emulators), a handler does. A
 * child makes a new page for its own mark and leaves the old one zero, because
 * selectors that have not followed the fork still point to it.
 */
#include "base/fork.h"

#include "base/os.h"
#include "base/own.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic(const unsigned int *) sel__forks_mark;
const unsigned int sel__nobodys_mark = 0;

/* Protected by sel__lock_own(). */
static unsigned int *mark; /* sel__forks_mark, writable */
static bool counting;
static bool empties_itself;
static unsigned int counted;

static void in_child(void)
{
    if (!empties_itself)
        *mark = 0;
    sel__lose_own();
    sel__unlock_own();
}

/* An emulator that accepts bogus advice follows none: old qemu does that. */
static bool is_emptied_in_children(void *page, size_t size)
{
    return madvise(page, size, -1) < 0 && madvise(page, size, MADV_WIPEONFORK) == 0;
}

static int make_mark(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    unsigned int *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -ENOMEM;
    empties_itself = is_emptied_in_children(page, size);
    *page = ++counted;
    mark = page;
    atomic_store(&sel__forks_mark, page);
    return 0;
}

/* Called after make_mark(), so the handler always finds a mark. */
static int watch_forks(void)
{
    int error =
        counting ? 0 : -pthread_atfork(sel__lock_own, sel__unlock_own, in_child);

    counting = error == 0;
    return error;
}

int sel__count_forks(void)
{
    int error = 0;

    sel__lock_own();
    if (mark != NULL && *mark == 0)
        sel__lose_own(); /* no handler was called, perhaps */
    if (mark == NULL || *mark == 0)
        error = make_mark();
    if (error == 0)
        error = watch_forks();
    sel__unlock_own();
    return error;
}
