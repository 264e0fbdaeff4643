/* SPDX-License-Identifier: MIT */
/*
 * The keys of a selector and of its model.  What is ready is in operations_wait.c.
 */
#include "operations_model.h"

#include "fuzz.h"
#include "operations_wait.h"

#include <errno.h>
#include <string.h>

static const sel_key no_key;

void agree(const contestant *one, const char *call, int result, int wanted)
{
    if (result != wanted)
        broken("%s: %s answered %d, not %d", sel_backend_name(one->sel), call, result,
               wanted);
}

void open_contestant(contestant *one, sel_backend backend, callback_work *work)
{
    *one = (contestant){.backend = backend};
    if (sel_open(backend, &one->sel) != 0)
        broken("sel_open failed");
    expect_callbacks(one, work);
}

void close_contestant(contestant *one)
{
    int result = sel_close(one->sel);

    if (result != (one->dispatching ? -EBUSY : 0))
        broken("sel_close() answered %d", result);
    if (result == 0)
        expect_no_callbacks(one);
}

void mark_stale(contestant *one, int place)
{
    if (place < WATCHED)
        one->keys[place].stale = true;
}

static bool is_same_key(const sel_key *a, const sel_key *b)
{
    return a->fd == b->fd && a->events == b->events && a->callback == b->callback &&
           a->data == b->data;
}

/* The pair of a key follows it; with its key gone it is dead. */
static void revise_pair(contestant *one, int place)
{
    const model_key *key = &one->keys[place];

    for (int i = 0; i < one->count; i++) {
        model_pair *pair = &one->pairs[i];

        if (pair->dead || pair->key.fd != number_of(place))
            continue;
        pair->dead = !key->registered;
        pair->mask &= key->registered ? key->key.events : 0;
        pair->key = key->key;
        pair->changed |= one->dispatching;
    }
}

static model_handle **handle_for(model_key *key, int event)
{
    return event == SEL_EVENT_READ ? &key->reader : &key->writer;
}

static void set_handle(model_key *key, int event, model_handle *added)
{
    model_handle **handle = handle_for(key, event);

    if (*handle != NULL)
        (*handle)->live = false;
    *handle = added;
}

static void forget_key(contestant *one, int place)
{
    one->keys[place].registered = false;
    set_handle(&one->keys[place], SEL_EVENT_READ, NULL);
    set_handle(&one->keys[place], SEL_EVENT_WRITE, NULL);
    revise_pair(one, place);
}

static sel_key make_key(int place, int events, bool calls, void *data)
{
    sel_callback *callback = calls ? called_back : NULL;

    return (sel_key){number_of(place), events, callback, data};
}

static int model_register(contestant *one, int place, const sel_key *key)
{
    if (key->events == 0 || (key->events & ~EVERY_EVENT) != 0)
        return -EINVAL;
    if (one->keys[place].registered && stands_for(place, one->keys[place].identity))
        return -EEXIST;
    if (one->keys[place].registered)
        forget_key(one, place);
    if (file_at(place) == 0)
        return -EBADF;
    one->keys[place] =
        (model_key){.registered = true, .identity = identify(place), .key = *key};
    return 0;
}

static int model_modify(contestant *one, int place, const sel_key *key)
{
    model_key *known = &one->keys[place];

    if (!known->registered)
        return -ENOENT;
    if ((key->events & ~EVERY_EVENT) != 0)
        return -EINVAL;
    if (known->has_handles)
        return -EEXIST;
    if ((key->events & ~known->key.events) != 0 && !stands_for(place, known->identity)) {
        forget_key(one, place);
        return -EBADF;
    }
    known->key = *key;
    revise_pair(one, place);
    return 0;
}

/*
 * Of a key whose file went away a backend may know, or may not, where a look at the
 * number does not show it: `known` is the answer of one that does.
 */
static void agree_or_know(contestant *one, const char *call, int place, int result,
                          int wanted, int known)
{
    if (result == wanted || result != known) {
        agree(one, call, result, wanted);
        return;
    }
    sel_unregister(one->sel, number_of(place));
    forget_key(one, place);
}

static bool is_stale(const contestant *one, int place)
{
    return one->keys[place].registered && one->keys[place].stale;
}

void try_register(contestant *one, int place, int events, bool calls, void *data)
{
    sel_key key = make_key(place, events, calls, data);
    bool stale = is_stale(one, place);
    int wanted = model_register(one, place, &key);

    one->quiet = false;
    tell_step("%s: register %d for %d: %d", sel_backend_name(one->sel), key.fd, events,
              wanted);
    agree_or_know(one, "register", place,
                  sel_register(one->sel, key.fd, events, key.callback, data), wanted,
                  stale && wanted == -EEXIST ? 0 : wanted);
}

void try_modify(contestant *one, int place, int events, bool calls, void *data)
{
    sel_key key = make_key(place, events, calls, data);
    bool stale = is_stale(one, place);
    int wanted;

    /* With two wrong arguments the contract leaves open which comes first. */
    if (!one->keys[place].registered)
        key.events &= EVERY_EVENT;
    wanted = model_modify(one, place, &key);
    one->quiet = false;
    tell_step("%s: modify %d for %d: %d", sel_backend_name(one->sel), key.fd, key.events,
              wanted);
    agree_or_know(one, "modify", place,
                  sel_modify(one->sel, key.fd, key.events, key.callback, data), wanted,
                  stale && wanted == 0 ? -EBADF : wanted);
}

void try_unregister(contestant *one, int place)
{
    int wanted = one->keys[place].registered ? 0 : -ENOENT;

    forget_key(one, place);
    one->quiet = false;
    tell_step("%s: unregister %d: %d", sel_backend_name(one->sel), number_of(place),
              wanted);
    agree(one, "unregister", sel_unregister(one->sel, number_of(place)), wanted);
}

/* What fails leaves all as it was. */
static int model_add(contestant *one, int place, model_handle *added)
{
    model_key *known = &one->keys[place];
    bool is_current = known->registered && stands_for(place, known->identity);

    if (is_current && !known->has_handles)
        return -EEXIST;
    if (!is_current && file_at(place) == 0)
        return -EBADF;
    if (!is_current && known->registered)
        forget_key(one, place);
    if (!is_current)
        *known = (model_key){.registered = true, .identity = identify(place),
                             .key = {.fd = number_of(place)}, .has_handles = true};
    known->key.events |= added->event;
    set_handle(known, added->event, added);
    added->live = true;
    revise_pair(one, place);
    return 0;
}

/*
 * A callback and data of the library's are known when the key is there. It is a new
 * one where a backend knew that the file went away, and no look at the number shows it.
 */
static void learn_key(contestant *one, int place)
{
    model_key *known = &one->keys[place];
    sel_key found;

    agree(one, "get_key", sel_get_key(one->sel, number_of(place), &found), 0);
    if (known->key.callback == NULL) {
        known->key.callback = found.callback;
        known->key.data = found.data;
    } else if (known->stale && !is_same_key(&found, &known->key)) {
        sel_unregister(one->sel, number_of(place));
        forget_key(one, place);
    }
}

void try_add(contestant *one, int place, int event, void *data)
{
    bool stale = is_stale(one, place);
    model_handle *added;
    int fd = number_of(place), result, wanted;

    if (one->handles_length == MOST_HANDLES)
        return;
    added = &one->handles[one->handles_length++];
    *added = (model_handle){.place = place, .event = event, .batch = one->batches,
                            .data = data, .one = one};
    wanted = model_add(one, place, added);
    one->quiet = false;
    tell_step("%s: add to %d for %d: %d", sel_backend_name(one->sel), fd, event, wanted);
    result = event == SEL_EVENT_READ ? sel_add_reader(one->sel, fd, handle_called, added) :
                                       sel_add_writer(one->sel, fd, handle_called, added);
    agree_or_know(one, "add", place, result, wanted,
                  stale && wanted == -EEXIST ? 0 : wanted);
    if (one->keys[place].registered && one->keys[place].has_handles)
        learn_key(one, place);
}

static int model_remove(contestant *one, int place, int event)
{
    model_key *known = &one->keys[place];

    if (!known->registered || !known->has_handles || !(known->key.events & event))
        return -ENOENT;
    if (known->key.events == event) {
        forget_key(one, place);
        return 0;
    }
    known->key.events &= ~event;
    set_handle(known, event, NULL);
    revise_pair(one, place);
    return 0;
}

void try_remove(contestant *one, int place, int event)
{
    int wanted = model_remove(one, place, event);
    int fd = number_of(place), result;

    one->quiet = false;
    tell_step("%s: remove from %d for %d: %d", sel_backend_name(one->sel), fd, event,
              wanted);
    result = event == SEL_EVENT_READ ? sel_remove_reader(one->sel, fd) :
                                       sel_remove_writer(one->sel, fd);
    agree(one, "remove", result, wanted);
}

void try_wakeup(contestant *one)
{
    tell_step("%s: wakeup", sel_backend_name(one->sel));
    agree(one, "wakeup", sel_wakeup(one->sel), 0);
    one->woken = true;
    one->quiet = false;
}

static void check_get_key(const contestant *one, int place)
{
    const model_key *key = &one->keys[place];
    sel_key found = no_key;
    int result = sel_get_key(one->sel, number_of(place), &found);

    agree(one, "get_key", result, key->registered ? 0 : -ENOENT);
    if (!is_same_key(&found, key->registered ? &key->key : &no_key))
        broken("%s: get_key has not the key of %d", sel_backend_name(one->sel),
               number_of(place));
}

static void check_map(const contestant *one)
{
    sel_key map[WATCHED + 1];
    int count = sel_get_map(one->sel, map, WATCHED + 1), found = 0;

    for (int place = 0; place < WATCHED; place++) {
        const model_key *key = &one->keys[place];

        if (!key->registered)
            continue;
        if (found >= count || !is_same_key(&map[found], &key->key))
            broken("%s: the map has not the key of %d", sel_backend_name(one->sel),
                   number_of(place));
        found++;
    }
    agree(one, "get_map", count, found);
    agree(one, "get_map(NULL)", sel_get_map(one->sel, NULL, 0), found);
}

static void check_pair(const contestant *one, int i)
{
    const sel_ready *ready = &one->ready[i];
    const model_pair *pair = &one->pairs[i];

    if (ready->mask != pair->mask || ready->key.fd != pair->key.fd)
        broken("%s: the pair of %d has mask %d, not %d", sel_backend_name(one->sel),
               pair->key.fd, ready->mask, pair->mask);
    if (!pair->dead && !is_same_key(&ready->key, &pair->key))
        broken("%s: the pair of %d does not show its key", sel_backend_name(one->sel),
               pair->key.fd);
}

/* Any call would void what a look promised of the descriptor. */
void check_contestant(contestant *one)
{
    if (one->quiet && one->descriptor > 0)
        return;
    check_map(one);
    for (int place = 0; place < WATCHED; place++)
        check_get_key(one, place);
    for (int i = 0; i < one->count; i++)
        check_pair(one, i);
}
