/* SPDX-License-Identifier: MIT */
/*
 * Each change is made to the model first, which so says what every selector has
 * to return for it.
 */
#include "lockstep/model.h"

#include "lockstep/process.h"
#include "lockstep/world.h"

#include <selkie.h>

#include <errno.h>

contestant contestants[BACKENDS];
int contestants_length;
model_key keys[WATCHED];

const char *name_of(const contestant *one)
{
    return sel_backend_name(one->sel);
}

void agree(const contestant *one, const char *call, int result, int wanted)
{
    if (result != wanted)
        differ(name_of(one), "%s returned %d, not %d", call, result, wanted);
}

static void open_selector(contestant *one)
{
    int result = sel_open(one->backend, &one->sel);

    if (result != 0)
        differ("all", "sel_open of backend %d returned %d", (int)one->backend, result);
}

void open_selectors(void)
{
    contestants_length = 0;
    for (int backend = SEL_BACKEND_UV; backend <= SEL_BACKEND_KQUEUE; backend++) {
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
    contestants_length = 0;
    for (int place = 0; place < WATCHED; place++)
        keys[place] = (model_key){.registered = false};
}

const char *name_events(int events)
{
    static const char *const names[] = {
        "0",      "READ",        "WRITE",        "READ|WRITE",
        "EXCEPT", "READ|EXCEPT", "WRITE|EXCEPT", "READ|WRITE|EXCEPT",
    };

    return events >= 0 && events <= EVERY_EVENT ? names[events] : "UNKNOWN";
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
        if (!key->is_handles)
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
    if (keys[place].registered && stands_for(place, keys[place].identity))
        return -EEXIST;
    if (keys[place].registered)
        forget_key(place);
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
    if (keys[place].is_handles)
        return -EEXIST;
    if ((events & ~keys[place].events) != 0 && !stands_for(place, keys[place].identity)) {
        forget_key(place);
        return -EBADF;
    }
    keys[place].events = events;
    keys[place].data = data;
    keys[place].was_paused |= events == 0;
    revise_pairs(place);
    return 0;
}

/* What fails leaves all as it was. */
static int model_add(int place, int event)
{
    model_key *key = &keys[place];
    bool is_current = key->registered && stands_for(place, key->identity);

    if (is_current && !key->is_handles)
        return -EEXIST;
    if (!is_current && file_at(place) == 0)
        return -EBADF;
    if (!is_current && key->registered)
        forget_key(place);
    if (!is_current)
        *key = (model_key){
            .registered = true, .is_handles = true, .identity = identify(place)};
    key->events |= event;
    revise_pairs(place);
    return 0;
}

static int model_remove(int place, int event)
{
    model_key *key = &keys[place];

    if (!key->registered || !key->is_handles || (key->events & event) == 0)
        return -ENOENT;
    if (key->events == event) {
        forget_key(place);
        return 0;
    }
    key->events &= ~event;
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

/*
 * Of a key whose file went away a backend may know, or may not, where a look at the
 * number does not show it: `known` is the answer of one that does. Then it is taken
 * from all, so that they go on alike.
 */
static void change_everywhere(change_call *call, const char *name, int place, int events,
                              void *data, int wanted, int known)
{
    bool is_known = false;

    for (int i = 0; i < contestants_length; i++) {
        int result = call(contestants[i].sel, number_of(place), events, NULL, data);

        is_known |= result != wanted && result == known;
        agree(&contestants[i], name, result, result == known ? known : wanted);
    }
    for (int i = 0; is_known && i < contestants_length; i++)
        sel_unregister(contestants[i].sel, number_of(place));
    if (is_known)
        forget_key(place);
}

void register_everywhere(int place, int events, void *data)
{
    bool is_stale = keys[place].registered && keys[place].stale;
    int wanted = model_register(place, events, data);

    change_everywhere(sel_register, "register", place, events, data, wanted,
                      is_stale && wanted == -EEXIST ? 0 : wanted);
}

void modify_everywhere(int place, int events, void *data)
{
    bool is_stale = keys[place].registered && keys[place].stale;
    int wanted = model_modify(place, events, data);

    change_everywhere(sel_modify, "modify", place, events, data, wanted,
                      is_stale && wanted == 0 ? -EBADF : wanted);
}

void unregister_everywhere(int place)
{
    int wanted = model_unregister(place);

    for (int i = 0; i < contestants_length; i++)
        agree(&contestants[i], "unregister",
              sel_unregister(contestants[i].sel, number_of(place)), wanted);
}

static void never(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

static int add(contestant *one, int place, int event)
{
    int fd = number_of(place);

    return event == SEL_EVENT_READ ? sel_add_reader(one->sel, fd, never, NULL) :
                                     sel_add_writer(one->sel, fd, never, NULL);
}

/* Has a backend that knew that the file went away taken the number anew? */
static bool has_other_key(const contestant *one, int place)
{
    sel_key key;

    return sel_get_key(one->sel, number_of(place), &key) == 0 &&
           key.events != keys[place].events;
}

void add_everywhere(int place, int event)
{
    bool is_stale = keys[place].registered && keys[place].stale;
    int wanted = model_add(place, event);
    bool is_known = false;

    for (int i = 0; i < contestants_length; i++) {
        int result = add(&contestants[i], place, event);
        bool took = is_stale && wanted == -EEXIST && result == 0;

        agree(&contestants[i], "add", took ? wanted : result, wanted);
        is_known |= took || (is_stale && has_other_key(&contestants[i], place));
    }
    for (int i = 0; is_known && i < contestants_length; i++)
        sel_unregister(contestants[i].sel, number_of(place));
    if (is_known)
        forget_key(place);
}

void remove_everywhere(int place, int event)
{
    int wanted = model_remove(place, event);

    for (int i = 0; i < contestants_length; i++) {
        sel_selector *sel = contestants[i].sel;

        agree(&contestants[i], "remove",
              event == SEL_EVENT_READ ? sel_remove_reader(sel, number_of(place)) :
                                        sel_remove_writer(sel, number_of(place)), wanted);
    }
}

static void add_again(contestant *one, int place)
{
    for (int event = SEL_EVENT_READ; event <= SEL_EVENT_WRITE; event <<= 1)
        if (keys[place].events & event)
            agree(one, "add", add(one, place, event), 0);
}

/* A paused key can't be registered as one. */
static void register_again(contestant *one, int place)
{
    const model_key *key = &keys[place];
    int events = key->events != 0 ? key->events : EVERY_EVENT;

    if (key->is_handles) {
        add_again(one, place);
        return;
    }
    agree(one, "register",
          sel_register(one->sel, number_of(place), events, NULL, key->data), 0);
    if (key->events == 0)
        agree(one, "modify",
              sel_modify(one->sel, number_of(place), 0, NULL, key->data), 0);
}

static contestant *find_contestant(sel_backend backend)
{
    for (int i = 0; i < contestants_length; i++)
        if (contestants[i].backend == backend)
            return &contestants[i];
    return NULL;
}

bool replace_selector(sel_backend backend)
{
    contestant *one = find_contestant(backend);

    if (one == NULL)
        return false;
    for (int place = 0; place < WATCHED; place++)
        if (keys[place].registered && keys[place].stale)
            return false;
    agree(one, "sel_close", sel_close(one->sel), 0);
    open_selector(one);
    one->count = 0;
    for (int place = 0; place < WATCHED; place++)
        if (keys[place].registered)
            register_again(one, place);
    return true;
}
