/* SPDX-License-Identifier: MIT */
#include "backend/polling.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/os.h"
#include "base/own.h"
#include "base/set.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>

/*
 * When a stopped process continues, poll() keeps its original deadline, but ppoll() and
 * pselect() wait for as long as was left when it was stopped, because the kernel keeps
 * no deadline for them. So they are used only for less than a millisecond. (Where
 * poll() is built on ppoll(), because the kernel has no other, nothing helps.)
 */
static int wait_or_look(struct pollfd *fds, unsigned length, int64_t timeout)
{
    struct timespec rest = sel__to_timespec(timeout);

    if (timeout == SEL__FOREVER)
        return poll(fds, length, -1);
    if (timeout > 0 && timeout < SEL__NS_PER_MS)
        return ppoll(fds, length, &rest, NULL);
    return poll(fds, length, sel__to_ms(timeout - timeout % SEL__NS_PER_MS));
}

enum { WORD_BITS = CHAR_BIT * sizeof(unsigned long) };

/* How many words one bit set takes. */
static size_t count_words(int limit)
{
    return (size_t)limit / WORD_BITS + 1;
}

static int reserve(sel__polling *polling, int fd)
{
    int limit = fd + 1 + fd / 8;
    unsigned long *words;

    if (fd < polling->limit)
        return 0;
    words = realloc(polling->words, 3 * count_words(limit) * sizeof *words);
    if (words == NULL)
        return -ENOMEM;
    polling->words = words;
    polling->limit = limit;
    return 0;
}

int sel__open_polling(sel__polling *polling)
{
    *polling = (sel__polling){0};
    return sel__set_open(&polling->probe);
}

void sel__close_polling(sel__polling *polling)
{
    sel__close_own(&polling->probe);
    free(polling->words);
}

int sel__rearm_polling(sel__polling *polling)
{
    int fresh, error = sel__set_open(&fresh);

    if (error < 0)
        return error;
    sel__close_own(&polling->probe);
    sel__move_own(&fresh, &polling->probe);
    return 0;
}

/*
 * Only the kernel knows which files can be waited for: some regular files can
 * (/proc/self/mounts), and some devices can't (/dev/null).
 */
static int ask_kernel(int set, int fd)
{
    int error = sel__set_add(set, fd);

    if (error == 0)
        sel__set_remove(set, fd);
    return error;
}

/*
 * What epoll_ctl() would say of the descriptor. It takes all sockets and pipes, except
 * those opened with O_PATH.
 */
static int check_waitable(const sel__polling *polling, const sel__entry *entry, int fd)
{
    int flags;

    if (entry->flags & SEL__INTERNAL)
        return 0;
    if (entry->kind == SEL__OTHER)
        return ask_kernel(polling->probe, fd);
    flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    return (flags & O_PATH) ? -EBADF : 0;
}

int sel__admit(sel__polling *polling, const sel__entry *entry, int fd)
{
    int error = check_waitable(polling, entry, fd);

    return error < 0 ? error : reserve(polling, fd);
}

/* Three bit sets in the layout of select(2), each of the same number of words. */
typedef struct {
    unsigned long *words[3];
    int limit; /* one more than the highest descriptor in them */
} sets;

static const short bits_of_set[3] = {POLLIN, POLLOUT, POLLPRI};

static sets fill(const struct pollfd *fds, unsigned length, unsigned long *words)
{
    sets asked = {.limit = 0};
    size_t each;

    for (unsigned i = 0; i < length; i++)
        if (fds[i].fd >= asked.limit)
            asked.limit = fds[i].fd + 1;
    each = count_words(asked.limit);
    memset(words, 0, 3 * each * sizeof *words);
    for (size_t set = 0; set < 3; set++) {
        asked.words[set] = words + set * each;
        for (unsigned i = 0; i < length; i++)
            if (fds[i].fd >= 0 && (fds[i].events & bits_of_set[set]))
                asked.words[set][fds[i].fd / WORD_BITS] |=
                    1UL << fds[i].fd % WORD_BITS;
    }
    return asked;
}

static short get_bits(const sets *answered, int fd)
{
    short bits = 0;

    for (int set = 0; set < 3; set++)
        if (answered->words[set][fd / WORD_BITS] >> fd % WORD_BITS & 1)
            bits |= bits_of_set[set];
    return bits;
}

static int find_closed(struct pollfd *fds, unsigned length)
{
    struct stat status;
    int count = 0;

    for (unsigned i = 0; i < length; i++) {
        fds[i].revents = fds[i].fd >= 0 && fstat(fds[i].fd, &status) < 0 ? POLLNVAL : 0;
        count += fds[i].revents != 0;
    }
    return count;
}

/*
 * select(2) takes any number, whatever RLIMIT_NOFILE is. If a descriptor is not ready
 * for everything it was asked about, it may have hung up, and poll() is asked about
 * that one. With a limit of 0 even that is refused, and select()'s answer stands.
 */
static int select_instead(struct pollfd *fds, unsigned length, int64_t timeout,
                          sel__polling *polling)
{
    sets asked = fill(fds, length, polling->words);
    struct timespec left = sel__to_timespec(timeout);
    int count = pselect(asked.limit, (fd_set *)asked.words[0], (fd_set *)asked.words[1],
                        (fd_set *)asked.words[2], timeout != SEL__FOREVER ? &left : NULL, NULL);

    if (count < 0)
        return errno == EBADF ? find_closed(fds, length) : -errno;
    count = 0;
    for (unsigned i = 0; i < length; i++) {
        fds[i].revents = fds[i].fd >= 0 ? get_bits(&asked, fds[i].fd) : 0;
        if (fds[i].revents != 0 && fds[i].revents != fds[i].events)
            poll(&fds[i], 1, 0);
        count += fds[i].revents != 0;
    }
    return count;
}

/* EINVAL means only one thing: more descriptors than RLIMIT_NOFILE, which has been lowered. */
int sel__poll(struct pollfd *fds, unsigned length, int64_t timeout, sel__polling *polling)
{
    int count = wait_or_look(fds, length, timeout);

    if (count < 0 && errno == EINVAL)
        return select_instead(fds, length, timeout, polling);
    return count >= 0 ? count : -errno;
}
