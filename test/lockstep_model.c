/* SPDX-License-Identifier: MIT */
/*
 * The model knows keys and what they were registered for; it knows nothing of
 * readiness, which poll(2) is asked for before and after the selectors.  Only
 * when it says the same twice is there something to compare: TCP may have
 * something on its way.
 */
#include "lockstep_model.h"

#include "lockstep_history.h"
#include "lockstep_world.h"

#include <selkie.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BACKENDS = 4, MOST_LOOKS = 10000 };

/* What the model knows of the key of a place. */
typedef struct {
    bool registered;
    bool stale; /* its number was closed or got another file since */
    int events;
    void *data;
    identity identity;
} model_key;

/* What a pair of the last batch has to be by now. */
typedef struct {
    bool dead;
    int mask;
    sel_key key;
} model_pair;

typedef struct {
    sel_backend backend;
    sel_selector *sel;
    const sel_ready *ready;
    int count;
    model_pair pairs[WATCHED];
} contestant;

static contestant contestants[BACKENDS];
static int contestants_length;
static model_key keys[WATCHED];

static int number_of(int place)
{
    return FIRST_NUMBER + place;
}

static const char *name_of(const contestant *one)
{
    return sel_backend_name(one->sel);
}

static void agree(const contestant *one, const char *call, int result, int wanted)
{
    if (result != wanted)
        differ(name_of(one), "%s returned %d, not %d", call, result, wanted);
}

static void open_selector(contestant *one)
{
    if (sel_open(one->backend, &one->sel) == 0)
        return;
    fprintf(stderr, "sel_open failed\n");
    exit(2);
}

void open_selectors(void)
{
    contestants_length = 0;
    for (int backend = SEL_BACKEND_UV; backend <= SEL_BACKEND_SELECT; backend++) {
        if (!sel_backend_available((sel_backend)backend))
            continue;
        contestants[contestants_length] = (contestant){.backend = (sel_backend)backend};
        open_selector(&contestants[contestants_length++]);
    }
}

void close_selectors(void)
{
    for (int i = 0; i < contestants_length; i++)
        agree(&contestants[i], "sel_close", sel_close(contestants[i].sel), 0);
}

bool is_registered(int place)
{
    return keys[place].registered;
}

void mark_stale(int place)
{
    if (place < WATCHED)
        keys[place].stale = true;
}

static model_pair *find_pair(contestant *one, int place)
{
    for (int i = 0; i < one->count; i++)
        if (one->pairs[i].key.fd == number_of(place) && !one->pairs[i].dead)
            return &one->pairs[i];
    return NULL;
}

/* The pairs of a key follow it; with their key gone they stay as they are. */
static void revise_pairs(int place)
{
    const model_key *key = &keys[place];

    for (int i = 0; i < contestants_length; i++) {
        model_pair *pair = find_pair(&contestants[i], place);

        if (pair == NULL)
            continue;
        pair->dead = !key->registered;
        pair->mask &= key->registered ? key->events : 0;
        pair->key.events = key->events;
        pair->key.data = key->data;
    }
}

static void forget_key(int place)
{
    keys[place].registered = false;
    revise_pairs(place);
}

static int model_register(int place, int events, void *data)
{
    if (events == 0 || (events & ~EVERY_EVENT) != 0)
        return -EINVAL;
    if (keys[place].registered)
        return -EEXIST;
    if (file_at(place) == 0)
        return -EBADF;
    keys[place] = (model_key){
        .registered = true,
        .events = events,
        .data = data,
        .identity = identify(place),
    };
    return 0;
}

static int model_modify(int place, int events, void *data)
{
    if (!keys[place].registered)
        return -ENOENT;
    if ((events & ~EVERY_EVENT) != 0)
        return -EINVAL;
    if ((events & ~keys[place].events) != 0 && file_at(place) == 0) {
        forget_key(place);
        return -EBADF;
    }
    keys[place].events = events;
    keys[place].data = data;
    revise_pairs(place);
    return 0;
}

static int model_unregister(int place)
{
    if (!keys[place].registered)
        return -ENOENT;
    forget_key(place);
    return 0;
}

typedef int change_call(sel_selector *sel, int fd, int events, sel_callback *callback,
                        void *data);

static void change_everywhere(change_call *call, const char *name, int place, int events,
                              void *data, int wanted)
{
    note("%s %d %s: %d", name, number_of(place), name_events(events), wanted);
    for (int i = 0; i < contestants_length; i++)
        agree(&contestants[i], name,
              call(contestants[i].sel, number_of(place), events, NULL, data), wanted);
}

void register_everywhere(int place, int events, void *data)
{
    change_everywhere(sel_register, "register", place, events, data,
                      model_register(place, events, data));
}

void modify_everywhere(int place, int events, void *data)
{
    change_everywhere(sel_modify, "modify", place, events, data,
                      model_modify(place, events, data));
}

void unregister_everywhere(int place)
{
    int wanted = model_unregister(place);

    note("unregister %d: %d", number_of(place), wanted);
    for (int i = 0; i < contestants_length; i++)
        agree(&contestants[i], "unregister",
              sel_unregister(contestants[i].sel, number_of(place)), wanted);
}

/* A paused key can't be registered as one. */
static void register_again(contestant *one, int place)
{
    const model_key *key = &keys[place];
    int events = key->events != 0 ? key->events : EVERY_EVENT;

    agree(one, "register",
          sel_register(one->sel, number_of(place), events, NULL, key->data), 0);
    if (key->events == 0)
        agree(one, "modify",
              sel_modify(one->sel, number_of(place), 0, NULL, key->data), 0);
}

bool replace_selector(int drawn)
{
    contestant *one = &contestants[drawn % contestants_length];

    for (int place = 0; place < WATCHED; place++)
        if (keys[place].registered && keys[place].stale)
            return false;
    note("%s is closed, another opened with its keys", name_of(one));
    agree(one, "sel_close", sel_close(one->sel), 0);
    open_selector(one);
    one->count = 0;
    for (int place = 0; place < WATCHED; place++)
        if (keys[place].registered)
            register_again(one, place);
    return true;
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
            map[found].events != key->events || map[found].data != key->data)
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

static bool is_same(identity one, identity other)
{
    return one.device == other.device && one.inode == other.inode;
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
        if (file_at(other) != 0 && is_same(identify(other), key->identity))
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
        masks[place] = ready->mask;
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

/*
 * Mostly a look. Where something is ready a wait has to come back at once, and
 * now and then one has to find out that nothing is.
 */
static double choose_timeout(const view *seen)
{
    for (int place = 0; place < WATCHED; place++)
        if (keys[place].registered && !keys[place].stale && find_wanted(place, seen) != 0)
            return choose(8) == 0 ? 10 : 0;
    return choose(256) == 0 ? 0.0003 : 0;
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

void look_everywhere(void)
{
    view before, after;
    int looks = 0;

    do {
        double timeout;

        take_view(&before);
        timeout = choose_timeout(&before);
        for (int i = 0; i < contestants_length; i++)
            wait_with(&contestants[i], timeout);
        take_view(&after);
    } while (memcmp(&before, &after, sizeof before) != 0 && ++looks < MOST_LOOKS);
    for (int i = 0; i < contestants_length; i++)
        compare(&contestants[i], &before);
}
