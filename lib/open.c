/* SPDX-License-Identifier: MIT */
/*
 * Which backend a program gets.
 */
#include "selector/backend.h"

#include <selkie/selectors.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const sel__backend *const backends[] = {
    [SEL_BACKEND_UV] = UV_BACKEND,
    [SEL_BACKEND_EPOLL] = &sel__epoll_backend,
    [SEL_BACKEND_POLL] = &sel__poll_backend,
    [SEL_BACKEND_SELECT] = &sel__select_backend,
};

enum { COUNT = sizeof backends / sizeof backends[0] };

static sel_backend by_name(const char *name)
{
    static const char *const names[COUNT] = {
        [SEL_BACKEND_UV] = "uv",
        [SEL_BACKEND_EPOLL] = "epoll",
        [SEL_BACKEND_POLL] = "poll",
        [SEL_BACKEND_SELECT] = "select",
    };
    int i = SEL_BACKEND_UV;

    while (i < COUNT && strcmp(name, names[i]) != 0)
        i++;
    return (sel_backend)i;
}

static sel_backend choose_default(void)
{
    const char *name = secure_getenv("SELKIE_BACKEND");

    if (name != NULL)
        return by_name(name);
    return backends[SEL_BACKEND_UV] != NULL ? SEL_BACKEND_UV : SEL_BACKEND_EPOLL;
}

const sel__backend *sel__find_backend(sel_backend backend, int *ret_error)
{
    if (backend == SEL_BACKEND_DEFAULT)
        backend = choose_default();
    if ((unsigned)backend >= COUNT) {
        *ret_error = -EINVAL;
        return NULL;
    }
    *ret_error = -ENOTSUP;
    return backends[backend];
}

int sel_backend_available(sel_backend backend)
{
    int error;

    return sel__find_backend(backend, &error) != NULL;
}
