/* SPDX-License-Identifier: MIT */
/*
 * Waits, dispatches and what they have to report.
 *
 * Of readiness the model knows nothing: poll(2) is asked before and after.  Only when
 * it says the same twice is there something to compare, for TCP may have something on
 * its way.
 */
#include "operations_wait.h"

#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { CONTESTANTS = 8, MOST_LOOKS = 10000 };
static const double LONG = 10; /* seconds, which must not pass */

/* Whose selector a callback is called with. */
static struct {
    contestant *one;
    callback_work *work;
} expected[CONTESTANTS];

void expect_callbacks(contestant *one, callback_work *work)
{
    expected[one->backend].one = one;
    expected[one->backend].work = work;
}

void expect_no_callbacks(const contestant *one)
{
    expected[one->backend].one = NULL;
}

static model_pair *find_pair(contestant *one, int fd)
{
    for (int i = 0; i < one->count; i++)
        if (one->pairs[i].key.fd == fd && !one->pairs[i].dead)
            return &one->pairs[i];
    return NULL;
}

static void check_call(contestant *one, const sel_key *key, int mask)
{
    const model_pair *pair = find_pair(one, key->fd);

    if (pair == NULL || pair->called || !one->collected || !one->dispatching)
        broken("%s: the callback of %d is not to be called", sel_backend_name(one->sel),
               key->fd);
    if (mask == 0 || mask != pair->mask || key->events != pair->key.events ||
        key->data != pair->key.data || pair->key.callback == NULL)
        broken("%s: the callback of %d got another's", sel_backend_name(one->sel),
               key->fd);
}

void called_back(sel_selector *sel, const sel_key *key, int mask)
{
    contestant *one = NULL;
    int fd = key->fd;

    for (int i = 0; i < CONTESTANTS; i++)
        if (expected[i].one != NULL && expected[i].one->sel == sel)
            one = expected[i].one;
    if (one == NULL)
        broken("the callback of %d got an unknown selector", fd);
    tell_step("%s: the callback of %d", sel_backend_name(sel), fd);
    check_call(one, key, mask);
    find_pair(one, fd)->called = true;
    one->calls++;
    expected[one->backend].work(one, key->data);
    if (key->fd != fd)
        broken("the key changed under its callback");
}

/* Readers and writers: once, and nothing that was found before they were added. */
void handle_called(sel_selector *sel, void *data)
{
    model_handle *called = data;
    contestant *one = called->one;
    int fd = number_of(called->place);
    const model_pair *pair = find_pair(one, fd);

    tell_step("%s: the task of %d for %d", sel_backend_name(sel), fd, called->event);
    if (!called->live || called->called || called->batch == one->batches)
        broken("%s: a task of %d is not to be called", sel_backend_name(sel), fd);
    if (!one->collected || !one->dispatching || pair == NULL ||
        !(pair->mask & called->event))
        broken("%s: a task of %d is called for nothing", sel_backend_name(sel), fd);
    called->called = true;
    expected[one->backend].work(one, called->data);
}

/*
 * What a stale key may still report: its file, while anything keeps it open, or one
 * that can't be told apart.
 */
static int find_allowed(const model_key *key, const view *seen)
{
    int allowed = 0;

    for (int other = 0; other < PLACES; other++)
        if (stands_for(other, key->identity))
            allowed |= ready_by_poll(seen->revents[other]);
    return allowed & key->key.events;
}

static int find_wanted(const contestant *one, int place, const view *seen)
{
    const model_key *key = &one->keys[place];

    return key->registered ? ready_by_poll(seen->revents[place]) & key->key.events : 0;
}

/* Take over a batch, a pair at a time, and sort its masks by place. */
static void take_pairs(contestant *one, int masks[WATCHED])
{
    memset(masks, 0, WATCHED * sizeof *masks);
    for (int i = 0; i < one->count; i++) {
        const sel_ready *ready = &one->ready[i];
        int place = ready->key.fd - FIRST_NUMBER;

        if (place < 0 || place >= WATCHED || !one->keys[place].registered)
            broken("%s: reported %d, which has no key", sel_backend_name(one->sel),
                   ready->key.fd);
        if (masks[place] != 0 || ready->mask == 0 ||
            (ready->mask & ~one->keys[place].key.events) != 0)
            broken("%s: reported %d with mask %d after %d", sel_backend_name(one->sel),
                   ready->key.fd, ready->mask, masks[place]);
        masks[place] = ready->mask;
        one->pairs[i] = (model_pair){.mask = ready->mask, .key = one->keys[place].key,
                                     .has_handles = one->keys[place].has_handles};
    }
}

static void compare(contestant *one, const view *seen)
{
    int masks[WATCHED];

    take_pairs(one, masks);
    for (int place = 0; place < WATCHED; place++) {
        const model_key *key = &one->keys[place];
        int reported = masks[place], wanted = find_wanted(one, place, seen);

        if (!key->stale && reported != wanted)
            broken("%s: reported %d of %d, poll(2) says %d", sel_backend_name(one->sel),
                   reported, number_of(place), wanted);
        if (reported != 0 && key->stale && (reported & ~find_allowed(key, seen)) != 0)
            broken("%s: reported %d of %d, which was closed", sel_backend_name(one->sel),
                   reported, number_of(place));
    }
}

static bool is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, 0) == 1;
}

/* Is there a key that ends the wait for certain? */
static bool has_to_return(const contestant *one, const view *seen)
{
    for (int place = 0; place < WATCHED; place++)
        if (!one->keys[place].stale && find_wanted(one, place, seen) != 0)
            return true;
    return one->woken;
}

/* After a look that found nothing the descriptor tells when there is something. */
static void check_descriptor(const contestant *one, bool readable)
{
    if (one->quiet && one->descriptor > 0 && one->count > 0 && !readable)
        broken("%s: sel_fileno() did not tell of %d pairs", sel_backend_name(one->sel),
               one->count);
}

static void look(contestant *one, bool wait, view *before)
{
    view after;
    bool readable = one->quiet && one->descriptor > 0 && is_readable(one->descriptor);

    take_view(before);
    wait = wait && has_to_return(one, before);
    one->count = sel_select(one->sel, wait ? LONG : 0, &one->ready);
    take_view(&after);
    if (one->count < 0 || one->count > WATCHED)
        broken("%s: sel_select() answered %d", sel_backend_name(one->sel), one->count);
    one->batches++;
    if (memcmp(before, &after, sizeof after) != 0) {
        before->revents[0] = -1; /* look again */
        one->quiet = false;
        return;
    }
    check_descriptor(one, readable);
    one->quiet = !wait && !one->woken && one->count == 0;
    one->woken = false;
}

/* Nothing is left to run, and nothing is on its way. */
static void check_timeout(const contestant *one)
{
    double timeout = sel_get_timeout(one->sel);

    if (timeout != SEL_FOREVER && (timeout != 0 || one->quiet))
        broken("%s: sel_get_timeout() answered %g", sel_backend_name(one->sel), timeout);
}

void try_select(contestant *one, bool wait)
{
    view seen;

    if (one->dispatching) {
        agree(one, "select inside a callback", sel_select(one->sel, 0, NULL), -EBUSY);
        return;
    }
    for (int i = 0; i < MOST_LOOKS; i++) {
        look(one, wait, &seen);
        if (seen.revents[0] != -1)
            break;
    }
    tell_step("%s: select: %d", sel_backend_name(one->sel), one->count);
    compare(one, &seen);
    one->collected = true;
    check_timeout(one);
}

void try_fileno(contestant *one)
{
    int descriptor = sel_fileno(one->sel);
    bool has_one = one->backend != SEL_BACKEND_POLL && one->backend != SEL_BACKEND_SELECT;

    one->quiet = false;
    if (!has_one)
        agree(one, "fileno", descriptor, -ENOTSUP);
    else if (descriptor < 3 || (one->descriptor > 0 && descriptor != one->descriptor))
        broken("%s: sel_fileno() answered %d", sel_backend_name(one->sel), descriptor);
    else
        one->descriptor = descriptor;
}

static void check_handle(const contestant *one, const model_handle *handle, int mask)
{
    if (handle == NULL || !(mask & handle->event) || handle->batch == one->batches)
        return;
    if (!handle->called)
        broken("%s: the task of %d was not called", sel_backend_name(one->sel),
               number_of(handle->place));
}

/* Pairs of readers and writers, that count as one call each. */
static int count_handles(const contestant *one, bool even_changed)
{
    int count = 0;

    for (int i = 0; one->collected && i < one->count; i++)
        if (one->pairs[i].has_handles && (even_changed || !one->pairs[i].changed))
            count += even_changed || (!one->pairs[i].dead && one->pairs[i].mask != 0);
    return count;
}

/* A pair that was left as it was has been called, if it is one to be called. */
static void check_called(const contestant *one)
{
    for (int i = 0; one->collected && i < one->count; i++) {
        const model_pair *pair = &one->pairs[i];
        bool wanted = !pair->dead && pair->mask != 0 && pair->key.callback != NULL;

        if (wanted && !pair->changed && pair->has_handles) {
            const model_key *key = &one->keys[pair->key.fd - FIRST_NUMBER];

            check_handle(one, key->reader, pair->mask);
            check_handle(one, key->writer, pair->mask);
            continue;
        }
        if (wanted && !pair->changed && !pair->called)
            broken("%s: the callback of %d was not called", sel_backend_name(one->sel),
                   pair->key.fd);
    }
}

void try_dispatch(contestant *one)
{
    int result;

    if (one->dispatching) {
        agree(one, "dispatch inside a callback", sel_dispatch(one->sel), -EBUSY);
        return;
    }
    tell_step("%s: dispatch", sel_backend_name(one->sel));
    one->dispatching = true;
    one->calls = 0;
    one->quiet = false;
    for (int i = 0; i < one->count; i++)
        one->pairs[i].changed = false;
    for (int i = 0; i < one->handles_length; i++)
        one->handles[i].called = false;
    result = sel_dispatch(one->sel);
    one->dispatching = false;
    if (result < one->calls + count_handles(one, false) ||
        result > one->calls + count_handles(one, true))
        broken("%s: dispatch answered %d", sel_backend_name(one->sel), result);
    check_called(one);
    one->collected = false;
}
