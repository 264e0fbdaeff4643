/* SPDX-License-Identifier: MIT */
/*
 * libuv's calls that can fail without ending the process. Handles and loops that
 * were refused are left as they were given.
 */
#include "faults.h"

#include <errno.h>
#include <uv.h>

#define WRAP_UV(name, parameters, call, arguments)                             \
    int __real_##name parameters;                                              \
    int __wrap_##name parameters;                                              \
    int __wrap_##name parameters                                               \
    {                                                                          \
        return faults_strike(call) ? -errno : __real_##name arguments;         \
    }

WRAP_UV(uv_loop_fork, (uv_loop_t *loop), UV_LOOP_FORK, (loop))
WRAP_UV(uv_loop_init, (uv_loop_t *loop), UV_LOOP_INIT, (loop))
WRAP_UV(uv_poll_init, (uv_loop_t *loop, uv_poll_t *poll, int fd), UV_POLL_INIT,
        (loop, poll, fd))
WRAP_UV(uv_signal_init, (uv_loop_t *loop, uv_signal_t *signal), UV_SIGNAL_INIT,
        (loop, signal))
WRAP_UV(uv_signal_start, (uv_signal_t *signal, uv_signal_cb callback, int signum),
        UV_SIGNAL_START, (signal, callback, signum))
WRAP_UV(uv_thread_create_ex,
        (uv_thread_t *thread, const uv_thread_options_t *options, uv_thread_cb entry,
         void *argument),
        UV_THREAD_CREATE, (thread, options, entry, argument))
