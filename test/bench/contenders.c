/* SPDX-License-Identifier: MIT */
/* The build says which PEER this program holds: a contender's address or NULL. */
#include "contenders.h"

#include <stddef.h>
#include <string.h>

static const event_loop *const contenders[] = {
    &selkie_uv_contender,
    &selkie_epoll_contender,
    &selkie_poll_contender,
    &selkie_select_contender,
    &epoll_contender,
    &poll_contender,
    &select_contender,
    &libuv_contender,
    PEER,
};

enum { COUNT = sizeof contenders / sizeof contenders[0] };

const event_loop *find_contender(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (contenders[i] != NULL && strcmp(contenders[i]->name, name) == 0)
            return contenders[i];
    return NULL;
}
