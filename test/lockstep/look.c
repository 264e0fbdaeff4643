/* SPDX-License-Identifier: MIT */
/*
 * poll(2) is asked before and after the selectors.  Only when it says the same
 * twice is there something to compare: TCP may have something on its way.
 */
#include "lockstep/look.h"

#include "lockstep/model.h"
#include "lockstep/process.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_LOOKS = 10000 };

typedef enum { LOOK, WAIT_IF_READY, WAIT } manner;

static enum { NO_MISTAKE, WRONG_MASK, ABORT } mistake;

bool make_mistake(const char *name)
{
    mistake = strcmp(name, "mask") == 0    ? WRONG_MASK
              : strcmp(name, "abort") == 0 ? ABORT
                                           : NO_MISTAKE;
    return mistake != NO_MISTAKE;
}

/* The mask that this contestant is taken to have reported. */
static int spoil(const contestant *one, int place, int mask)
{
    bool wrong = mistake != NO_MISTAKE && one->backend == SEL_BACKEND_POLL &&
                 keys[place].was_paused && (mask & SEL_EVENT_WRITE) != 0;

    if (wrong && mistake == ABORT)
        abort();
    return wrong ? 0 : mask;
}

static void check_map(const contestant *one)
{
    sel_key map[WATCHED + 1];
    int count = sel_get_map(one->sel, map, WATCHED + 1), found = 0;

    for (int place = 0; place < WATCHED; place++) {
        const model_key *key = &keys[place];

        if (!key->registered)
            continue;
        if (found >= count || map[found].fd != number_of(place) ||
            map[found].events != key->events ||
            (map[found].data != key->data && !key->is_handles))
            differ(name_of(one), "the map has not the key of %d", number_of(place));
        found++;
    }
    agree(one, "sel_get_map", count, found);
}

static void check_pair(const contestant *one, int i)
{
    const sel_ready *ready = &one->ready[i];
    const model_pair *pair = &one->pairs[i];

    if (ready->mask != pair->mask || ready->key.fd != pair->key.fd)
        differ(name_of(one), "the pair of %d has mask %s, not %s", pair->key.fd,
               name_events(ready->mask), name_events(pair->mask));
    if (!pair->dead &&
        (ready->key.events != pair->key.events || ready->key.data != pair->key.data))
        differ(name_of(one), "the pair of %d does not show its key", pair->key.fd);
}

void check_everywhere(void)
{
    for (int i = 0; i < contestants_length; i++) {
        const contestant *one = &contestants[i];

        check_map(one);
        for (int pair = 0; pair < one->count; pair++)
            check_pair(one, pair);
    }
}

/*
 * What a stale key may still report: its file, while anything keeps it open, or
 * one that can't be told apart. The number may have had several of those.
 */
static int find_allowed(int place, const view *seen)
{
    const model_key *key = &keys[place];
    int allowed = 0;

    for (int other = 0; other < PLACES; other++)
        if (stands_for(other, key->identity))
            allowed |= ready_by_poll(seen->revents[other]);
    return allowed & key->events;
}

static int find_wanted(int place, const view *seen)
{
    return ready_by_poll(seen->revents[place]) & keys[place].events;
}

/* Copy a batch into the model, a pair at a time, and sort its masks by place. */
static void take_pairs(contestant *one, int masks[WATCHED])
{
    memset(masks, 0, WATCHED * sizeof *masks);
    for (int i = 0; i < one->count; i++) {
        const sel_ready *ready = &one->ready[i];
        int place = ready->key.fd - FIRST_NUMBER;

        if (place < 0 || place >= WATCHED || !keys[place].registered)
            differ(name_of(one), "reported %d, which has no key", ready->key.fd);
        if (masks[place] != 0)
            differ(name_of(one), "reported %d twice", ready->key.fd);
        if (ready->mask == 0)
            differ(name_of(one), "reported %d with mask 0", ready->key.fd);
        masks[place] = spoil(one, place, ready->mask);
        one->pairs[i] = (model_pair){.mask = ready->mask, .key = ready->key};
    }
}

static void compare(contestant *one, const view *seen)
{
    int masks[WATCHED];

    take_pairs(one, masks);
    for (int place = 0; place < WATCHED; place++) {
        const model_key *key = &keys[place];
        int reported = masks[place];

        if (!key->registered)
            continue;
        if (key->stale && reported != 0 && (reported & ~find_allowed(place, seen)) != 0)
            differ(name_of(one), "reported %s of %d, which was closed",
                   name_events(reported), number_of(place));
        if (!key->stale && reported != find_wanted(place, seen))
            differ(name_of(one), "reported %s of %d, poll(2) says %s",
                   name_events(reported), number_of(place),
                   name_events(find_wanted(place, seen)));
    }
}

static bool is_anything_ready(const view *seen)
{
    for (int place = 0; place < WATCHED; place++)
        if (keys[place].registered && !keys[place].stale && find_wanted(place, seen) != 0)
            return true;
    return false;
}

/* Where something is ready a wait has to come back at once. */
static double choose_timeout(manner how, const view *seen)
{
    if (how == LOOK)
        return 0;
    if (is_anything_ready(seen))
        return 1;
    return how == WAIT ? 0.0003 : 0;
}

static double read_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wait_with(contestant *one, double timeout)
{
    double begin = timeout > 0 ? read_clock() : 0;

    one->count = sel_select(one->sel, timeout, &one->ready);
    if (one->count < 0 || one->count > WATCHED)
        differ(name_of(one), "sel_select returned %d", one->count);
    if (one->count == 0 && timeout > 0 && read_clock() - begin < timeout)
        differ(name_of(one), "a wait of %g s was over before", timeout);
}

static void compare_everywhere(manner how)
{
    view before, after;
    int looks = 0;

    do {
        double timeout;

        take_view(&before);
        timeout = choose_timeout(how, &before);
        for (int i = 0; i < contestants_length; i++)
            wait_with(&contestants[i], timeout);
        take_view(&after);
    } while (memcmp(&before, &after, sizeof before) != 0 && ++looks < MOST_LOOKS);
    for (int i = 0; i < contestants_length; i++)
        compare(&contestants[i], &before);
}

void look_everywhere(void)
{
    compare_everywhere(LOOK);
}

void wait_everywhere(bool in_vain)
{
    compare_everywhere(in_vain ? WAIT : WAIT_IF_READY);
}
