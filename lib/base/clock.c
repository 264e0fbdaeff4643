/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <limits.h>
#include <math.h>

/*
 * No stack protector: nothing from the program reaches this frame, and the clock is
 * read for every timer.
 */
#ifdef __has_attribute
#if __has_attribute(no_stack_protector)
__attribute__((no_stack_protector))
#endif
#endif
int64_t sel__now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SEL__NS_PER_SECOND + now.tv_nsec;
}

int64_t sel__far_time(int64_t start, double seconds)
{
    if (isnan(seconds))
        return SEL__NO_TIME;
    return seconds > 0 ? INT64_MAX :
                         start - (int64_t)(SEL__CENTURY / 2 * (double)SEL__NS_PER_SECOND);
}

int sel__to_ms(int64_t ns)
{
    int64_t ms = ns / SEL__NS_PER_MS + (ns % SEL__NS_PER_MS != 0);

    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* A longer time is waited out in parts, so that 32 bits of seconds are enough. */
struct timespec sel__to_timespec(int64_t ns)
{
    int64_t seconds = ns / SEL__NS_PER_SECOND;

    return (struct timespec){
        .tv_sec = (time_t)(seconds < INT32_MAX ? seconds : INT32_MAX),
        .tv_nsec = (long)(ns % SEL__NS_PER_SECOND),
    };
}
