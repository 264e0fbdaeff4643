/* SPDX-License-Identifier: MIT */
/*
 * The program's seconds and the library's nanoseconds, both of CLOCK_MONOTONIC.
 */
#ifndef SEL_CLOCK_H
#define SEL_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined __FINITE_MATH_ONLY__ && __FINITE_MATH_ONLY__
#error "NaN and infinity are told from numbers here: compile with -fno-fast-math"
#endif

enum { SEL__NS_PER_MS = 1000000, SEL__NS_PER_SECOND = 1000000000 };

/* Not inline: a timespec in a caller's frame would need a stack protector there. */
int64_t sel__now(void);

/*
 * A century in seconds: anything longer counts as for ever, anything shorter fits in
 * nanoseconds.
 */
#define SEL__CENTURY 3.2e9

/*
 * Seconds, not NaN, to nanoseconds, rounded up: 0 for zero or less, INT64_MAX for a
 * century or more.
 */
static inline int64_t sel__to_ns(double seconds)
{
    double ns = seconds * (double)SEL__NS_PER_SECOND;

    if (seconds >= SEL__CENTURY)
        return INT64_MAX;
    if (seconds <= 0)
        return 0;
    return (int64_t)ns + ((double)(int64_t)ns < ns);
}

static inline double sel__to_seconds(int64_t ns)
{
    return (double)ns / (double)SEL__NS_PER_SECOND;
}

#define SEL__NO_TIME INT64_MIN

int64_t sel__far_time(int64_t start, double seconds);

/*
 * `start` plus that many seconds, which may be negative, rounded up; INT64_MAX if that
 * is a century away or more, SEL__NO_TIME for NaN. At most half a century is
 * subtracted, so that the time since then still fits.
 */
static inline int64_t sel__time_after(int64_t start, double seconds)
{
    double ns = seconds * (double)SEL__NS_PER_SECOND;

    if (seconds < SEL__CENTURY && seconds > -SEL__CENTURY / 2)
        return start + (int64_t)ns + ((double)(int64_t)ns < ns);
    return sel__far_time(start, seconds);
}

/* The time `ns` from now; 0 and INT64_MAX stay what they are. */
static inline int64_t sel__deadline(int64_t ns)
{
    return ns == 0 || ns == INT64_MAX ? ns : sel__now() + ns;
}

/* The time left until then, 0 if it has passed. */
static inline int64_t sel__left(int64_t deadline)
{
    int64_t now;

    if (deadline <= 0)
        return 0;
    if (deadline == INT64_MAX)
        return deadline;
    now = sel__now();
    return now < deadline ? deadline - now : 0;
}

/* Nanoseconds to whole milliseconds, rounded up, at most INT_MAX. */
int sel__to_ms(int64_t ns);

/* Capped at what any time_t holds. */
struct timespec sel__to_timespec(int64_t ns);

#endif
