/* SPDX-License-Identifier: MIT */
/*
 * Delta debugging: leave out halves, quarters and so on down to single
 * operations, for as long as the same comparison finds a difference; then make
 * what is left simpler.  (A. Zeller, R. Hildebrandt: Simplifying and Isolating
 * Failure-Inducing Input, 2002.)
 *
 * *shrunk gives the difference at any time, so it may end at any time.
 */
#include "lockstep/shrink.h"

#include <string.h>
#include <time.h>

enum { MOST_SECONDS = 60, TRIES = 3 };

/* What is shrunk: how it is tried, and until when. */
typedef struct {
    sequence *shrunk;
    replay_function *replay;
    outcome *found;
    time_t end;
} attempt;

static time_t read_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool is_over(const attempt *work)
{
    return read_seconds() >= work->end;
}

/* Take the candidate if it gives the same difference. */
static bool accept(attempt *work, const sequence *candidate)
{
    outcome result = work->replay(candidate);

    if (!is_same_outcome(&result, work->found))
        return false;
    *work->found = result;
    *work->shrunk = *candidate;
    return true;
}

static sequence leave_out(const sequence *from, int begin, int count)
{
    sequence rest = *from;

    rest.length = from->length - count;
    memmove(&rest.operations[begin], &from->operations[begin + count],
            sizeof(operation) * (size_t)(rest.length - begin));
    return rest;
}

/* True: something could be left out. */
static bool leave_out_chunks(attempt *work, int chunk)
{
    bool any = false;

    for (int begin = 0; begin < work->shrunk->length && !is_over(work);) {
        int rest = work->shrunk->length - begin;
        int count = chunk < rest ? chunk : rest;
        sequence candidate = leave_out(work->shrunk, begin, count);

        if (accept(work, &candidate))
            any = true;
        else
            begin += count;
    }
    return any;
}

static void leave_out_all_it_can(attempt *work)
{
    for (int chunk = work->shrunk->length / 2; chunk > 1; chunk /= 2)
        leave_out_chunks(work, chunk);
    while (leave_out_chunks(work, 1))
        continue;
}

/* Two that only matter together: one opens what the other closes. */
static void leave_out_pairs(attempt *work)
{
    for (int first = 0; first < work->shrunk->length; first++)
        for (int second = first + 1; second < work->shrunk->length; second++) {
            sequence candidate = leave_out(work->shrunk, second, 1);

            candidate = leave_out(&candidate, first, 1);
            if (is_over(work))
                return;
            if (accept(work, &candidate))
                second = first;
        }
}

/* What is done to a duplicate may as well be done to the original. */
static void use_originals(attempt *work)
{
    for (int i = 0; i < work->shrunk->length && !is_over(work);) {
        operation duplicating = work->shrunk->operations[i];
        sequence candidate = leave_out(work->shrunk, i, 1);

        for (int other = i; other < candidate.length; other++)
            if (candidate.operations[other].place == duplicating.argument)
                candidate.operations[other].place = duplicating.place;
        if (!accept(work, &candidate))
            i++;
    }
}

static void simplify(attempt *work)
{
    for (int i = 0; i < work->shrunk->length; i++) {
        sequence candidate = *work->shrunk;

        for (int variant = 0; !is_over(work); variant++) {
            candidate.operations[i] = work->shrunk->operations[i];
            if (!simplify_operation(&candidate.operations[i], variant))
                break;
            accept(work, &candidate);
        }
    }
}

bool shrink_sequence(sequence *shrunk, replay_function *replay, outcome *found)
{
    attempt work = {shrunk, replay, found, read_seconds() + MOST_SECONDS};
    sequence whole = *shrunk;

    for (int tries = 1; !accept(&work, &whole); tries++)
        if (tries == TRIES || is_over(&work))
            return false;
    leave_out_all_it_can(&work);
    leave_out_pairs(&work);
    use_originals(&work);
    simplify(&work);
    return true;
}
