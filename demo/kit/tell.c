/* SPDX-License-Identifier: MIT */
/* Only the errors that the programs meet have names here. */
#include "kit/tell.h"
#include "kit/fail.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *yes_or_no(bool answer)
{
    return answer ? "yes" : "no";
}

#define ERROR(name) {name, #name}

const char *error_name(int error)
{
    static const struct {
        int number;
        const char *name;
    } errors[] = {
        {0, "0"},
        ERROR(EADDRINUSE),
        ERROR(EAFNOSUPPORT),
        ERROR(EAGAIN),
        ERROR(EBADF),
        ERROR(ECONNREFUSED),
        ERROR(ECONNRESET),
        ERROR(EEXIST),
        ERROR(EINPROGRESS),
        ERROR(EINTR),
        ERROR(EINVAL),
        ERROR(EMSGSIZE),
        ERROR(ENODEV),
        ERROR(ENOSYS),
        ERROR(ENOTCONN),
        ERROR(EPERM),
        ERROR(EPIPE),
        ERROR(EPROTONOSUPPORT),
        ERROR(ESOCKTNOSUPPORT),
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].number == error)
            return errors[i].name;
    return "another error";
}

int checked(int result, const char *what)
{
    if (result < 0)
        fail(EXIT_FAILURE, "cannot %s: %s", what, strerror(errno));
    return result;
}

double monotonic(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
