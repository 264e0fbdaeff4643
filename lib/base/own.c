/* SPDX-License-Identifier: MIT */
#include "base/own.h"

#include "base/descriptor.h"
#include "base/grow.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct own {
    int fd;
    int *place; /* that holds it */
    uint32_t serial;
    uint64_t file;
    bool until_fork; /* a child has no such descriptor */
};

/* No file is this: whatever has the number is not the library's. */
static const uint64_t NO_FILE = UINT64_MAX;

/* Sorted by number. The memory is freed when the list becomes empty. */
static struct {
    pthread_mutex_t lock;
    struct own *all;
    size_t length;
    int capacity;
    uint32_t serial; /* the newest one */
} list = {.lock = PTHREAD_MUTEX_INITIALIZER};

void sel__lock_own(void)
{
    pthread_mutex_lock(&list.lock);
}

void sel__unlock_own(void)
{
    pthread_mutex_unlock(&list.lock);
}

/* --- with the lock held --- */

/* The number's index, or the index where it would be inserted. */
static size_t find_place(int fd)
{
    size_t low = 0, high = list.length;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list.all[middle].fd < fd)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct own *find(int fd)
{
    size_t place = find_place(fd);

    return place < list.length && list.all[place].fd == fd ? &list.all[place] : NULL;
}

/* Make room for a number that is not in the list. */
static struct own *insert(int fd)
{
    size_t place = find_place(fd);

    if (sel__grow(&list.all, &list.capacity, (int)list.length + 1, sizeof *list.all) < 0)
        return NULL;
    memmove(&list.all[place + 1], &list.all[place],
            (list.length++ - place) * sizeof *list.all);
    return &list.all[place];
}

static void drop(struct own *own)
{
    size_t after = (size_t)(list.all + list.length - (own + 1));

    memmove(own, own + 1, after * sizeof *own);
    if (--list.length > 0)
        return;
    free(list.all);
    list.all = NULL;
    list.capacity = 0;
}

/* A descriptor that is open but can't be identified counts as the library's. */
static bool is_same(const struct own *own)
{
    uint64_t file;
    sel__kind kind;
    int error = sel__identify(own->fd, &file, &kind);

    return error == 0 ? file == own->file : error != -EBADF;
}

/*
 * If the number is already in the list, this is a forked child that had closed its
 * parent's, or that never had it.
 */
static int enter(int fd, int *place, uint64_t file, bool until_fork)
{
    struct own *own = find(fd);

    if (own != NULL)
        *own->place = -1;
    else
        own = insert(fd);
    if (own == NULL)
        return -ENOMEM;
    *own = (struct own){fd, place, ++list.serial, file, until_fork};
    *place = fd;
    return 0;
}

void sel__lose_own(void)
{
    for (size_t i = 0; i < list.length; i++)
        if (list.all[i].until_fork) {
            list.all[i].file = NO_FILE;
            list.all[i].serial = 0;
        }
}

/* --- calls --- */

static int note(int fd, int *place, bool until_fork)
{
    uint64_t file;
    sel__kind kind;
    int error = sel__identify(fd, &file, &kind);

    if (error < 0)
        return error;
    sel__lock_own();
    error = enter(fd, place, file, until_fork);
    sel__unlock_own();
    return error;
}

static int take(int fd, int *place, bool until_fork)
{
    int error = fd >= 0 ? note(fd, place, until_fork) : -errno;

    if (error == 0)
        return 0;
    if (fd >= 0)
        close(fd);
    *place = -1;
    return error;
}

int sel__own(int fd, int *place)
{
    return take(fd, place, false);
}

int sel__own_until_fork(int fd, int *place)
{
    return take(fd, place, true);
}

void sel__note_own(int *place)
{
    note(*place, place, false);
}

void sel__move_own(int *from, int *to)
{
    struct own *moved;

    sel__lock_own();
    *to = *from;
    *from = -1;
    moved = find(*to);
    if (moved != NULL)
        moved->place = to;
    sel__unlock_own();
}

void sel__disown(int *place)
{
    struct own *own;

    sel__lock_own();
    own = find(*place);
    *place = -1;
    if (own != NULL)
        drop(own);
    sel__unlock_own();
}

void sel__close_own(int *place)
{
    int fd = *place;
    bool still_own = fd >= 0 && sel__is_own(fd);

    sel__disown(place);
    if (still_own)
        close(fd);
}

bool sel__is_own(int fd)
{
    const struct own *own;
    bool result;

    sel__lock_own();
    own = find(fd);
    result = own == NULL || is_same(own);
    sel__unlock_own();
    return result;
}

uint32_t sel__get_serial(int fd)
{
    const struct own *own;
    uint32_t serial;

    sel__lock_own();
    own = find(fd);
    serial = own != NULL ? own->serial : 0;
    sel__unlock_own();
    return serial;
}
