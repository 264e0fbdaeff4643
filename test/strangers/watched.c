/* SPDX-License-Identifier: MIT */
/*
 * A selector that another loop watches by its descriptor: a poll(2) loop, or another
 * selector, and that in a third.
 *
 *   sel_fileno       after a sel_select(sel, 0) that returned 0 it turns readable when
 *                    the next one would return pairs; the same for a selector's life;
 *                    -ENOTSUP on `poll` and `select`
 *   sel_get_timeout  the time to the next timer, 0 when something is to be dispatched,
 *                    SEL_FOREVER when there is neither
 *   sel_register     -ELOOP where selectors would be nested too deep, and nothing else
 *
 * All that was asked of the guest is done, however it is run: every byte, task, timer
 * and job.
 */
#include "guest.h"

#include <errno.h>
#include <math.h>
#include <poll.h>

/* poll(2): what keeps it waiting is a timer or nothing. */
static void in_a_poll_loop(sel_backend backend)
{
    struct guest guest;
    guest_arrive(&guest, backend);
    int fd = sel_fileno(guest.sel);
    guest_serve(&guest);
    while (!guest_is_content(&guest)) {
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        double timeout = sel_get_timeout(guest.sel);
        CHECK(poll(&polled, 1, guest_timeout(timeout)) > 0 || timeout < 20);
        guest_serve(&guest);
        CHECK_IS(sel_fileno(guest.sel), fd);
    }
    CHECK(isinf(sel_get_timeout(guest.sel)));
    guest_leave(&guest);
}

/*
 * One selector in another in a third, each of a backend of its own; in two where the
 * kernel says -ELOOP, which sel_register() may then.
 */
static void on_guest(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    guest_serve(key->data);
}

/* Until a look finds nothing: only then does its descriptor tell of what comes. */
static void serve(sel_selector *sel)
{
    while (sel_select(sel, 0, NULL) > 0)
        CHECK(sel_dispatch(sel) >= 0);
}

static void on_middle(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    serve(key->data);
}

static void nested(sel_backend backend)
{
    struct guest guest;
    sel_selector *middle, *outer;
    guest_arrive(&guest, backend);
    CHECK_IS(sel_open(SEL_BACKEND_UV + pick(2), &middle), 0);
    CHECK_IS(sel_open(pick_backend(), &outer), 0);
    CHECK_IS(sel_register(middle, sel_fileno(guest.sel), SEL_EVENT_READ, on_guest,
                          &guest),
             0);
    int status = sel_register(outer, sel_fileno(middle), SEL_EVENT_READ, on_middle,
                              middle);
    CHECK(status == 0 || status == -ELOOP);
    sel_selector *waits = status == 0 ? outer : middle;
    guest_serve(&guest);
    /* A thread's task may have come since the guest was served. */
    for (serve(middle); !guest_is_content(&guest); serve(middle)) {
        double timeout = sel_get_timeout(guest.sel);
        CHECK(sel_select(waits, fmin(timeout, 20), NULL) > 0 || timeout < 20);
        CHECK(sel_dispatch(waits) >= 0);
        guest_serve(&guest);
    }
    CHECK_IS(sel_close(outer), 0);
    CHECK_IS(sel_close(middle), 0);
    guest_leave(&guest);
}

static void watched(sel_backend backend)
{
    if (!has_fileno(backend)) {
        sel_selector *sel;
        CHECK_IS(sel_open(backend, &sel), 0);
        CHECK_IS(sel_fileno(sel), -ENOTSUP);
        CHECK_IS(sel_close(sel), 0);
    } else {
        in_a_poll_loop(backend);
        nested(backend);
    }
}

int main(int argc, char **argv)
{
    stranger_warm_up();
    return stranger_main(argc, argv, 5, watched);
}
