/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include "descriptor.h"
#include "own.h"
#include "selector.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * libuv aborts when it closes a descriptor of its own that is 0, 1 or 2. So the
 * standard numbers that are free are held, each by a descriptor in `held` (else
 * -1), while libuv opens some.
 */
static void hold_standard(int held[3])
{
    for (int i = 0; i < 3; i++)
        held[i] = sel__is_open(i) ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void release_standard(const int held[3])
{
    for (int i = 0; i < 3; i++)
        if (held[i] >= 0)
            close(held[i]);
}

enum { NUMBERS = 5 };

/* What libuv keeps open for a loop; -1 for what it has not. */
static void get_numbers(const uv_loop_t *loop, int numbers[NUMBERS])
{
    numbers[0] = uv_backend_fd(loop);
    numbers[1] = loop->async_io_watcher.fd;
    numbers[2] = loop->async_wfd;
    numbers[3] = loop->signal_pipefd[0];
    numbers[4] = loop->signal_pipefd[1];
}

/* A number that there is no memory to note is as unknown as any of the program's. */
static void own_loop(const uv_loop_t *loop)
{
    int numbers[NUMBERS];

    get_numbers(loop, numbers);
    for (int i = 0; i < NUMBERS; i++)
        if (numbers[i] >= 0)
            sel__note_own(numbers[i]);
}

void sel__disown_loop(const uv_loop_t *loop)
{
    int numbers[NUMBERS];

    get_numbers(loop, numbers);
    for (int i = 0; i < NUMBERS; i++)
        sel__disown(numbers[i]);
}

int sel__fork_loop(uv_loop_t *loop)
{
    int held[3];
    int error;

    sel__disown_loop(loop);
    hold_standard(held);
    error = uv_loop_fork(loop);
    release_standard(held);
    if (error == 0)
        own_loop(loop);
    return error;
}

/*
 * A loop that could not be made: libuv 1.44 leaves its epoll set open, later ones
 * close it and say -1; 0 is left when there was no memory to begin with.
 */
int sel__init_loop(sel_selector *sel, uv_loop_t *loop)
{
    int held[3];
    int error;

    sel__check_all(sel);
    hold_standard(held);
    error = uv_loop_init(loop);
    release_standard(held);
    if (error == 0)
        own_loop(loop);
    else if (uv_backend_fd(loop) > 0)
        close(uv_backend_fd(loop));
    return error;
}

int sel__init_signal(sel_selector *sel, uv_loop_t *loop, uv_signal_t *signal)
{
    int held[3];
    int error;

    sel__check_all(sel);
    hold_standard(held);
    error = uv_signal_init(loop, signal);
    release_standard(held);
    own_loop(loop);
    return error;
}
