/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include "selector.h"

#include <unistd.h>

/*
 * A loop that could not be made: libuv 1.44 leaves its epoll set open, later ones
 * close it and say -1; 0 is left when there was no memory to begin with.
 */
int sel__init_loop(sel_selector *sel, uv_loop_t *loop)
{
    int error;

    sel__check_all(sel);
    error = uv_loop_init(loop);
    if (error < 0 && uv_backend_fd(loop) > 0)
        close(uv_backend_fd(loop));
    return error;
}
