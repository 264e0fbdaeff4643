/* SPDX-License-Identifier: MIT */
/*
 * A selector inside the program's libuv loop: a poll handle on sel_fileno(), and a
 * prepare handle that, before the loop sleeps, dispatches whatever no descriptor shows
 * and limits the sleep.
 *
 * None of the selector's own descriptors goes on that loop: its other handles may close
 * one after we have checked it, and libuv would abort.
 */
#include <selkie/uv.h>

#include "base/set.h"
#include "reactor/services.h"
#include "selector/selector.h"

#include <stdlib.h>

typedef struct sel__guest {
    sel__attachment seen; /* first: all that the selector sees of it */
    uv_poll_t poll;       /* referenced while the selector has something to wait for */
    uv_prepare_t prepare;
    uv_timer_t timer;     /* the selector's next timer */
    sel_selector *sel;    /* NULL: detached */
    int closing;          /* how many handles are not closed yet */
    struct sel__guest *next; /* in the list of those left behind */
} sel__guest;

/* Let the loop end if it has nothing else to wait for. */
static void let_end(sel__guest *guest)
{
    if (sel__usable(guest->sel) == 0 && !sel__is_alive(guest->sel))
        uv_unref((uv_handle_t *)&guest->poll);
}

static void pass(sel__guest *guest)
{
    sel_selector *sel = guest->sel;

    if ((sel->busy & SEL__DISPATCHING) || sel__usable(sel) < 0)
        return;
    if (sel__wait(sel, 0) == 0)
        sel__dispatch(sel);
    let_end(guest);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    pass(poll->data);
}

/*
 * The timer only ends the sleep. A pass from here could restart it again and again, and
 * libuv would never get past its timers.
 */
static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

static void set_timer(sel__guest *guest, double timeout)
{
    uint64_t ms;

    if (timeout == SEL_FOREVER) {
        uv_timer_stop(&guest->timer);
        return;
    }
    ms = (uint64_t)(timeout * 1e3);
    uv_update_time(guest->timer.loop);
    uv_timer_start(&guest->timer, on_timer, timeout > 0 ? ms + 1 : 0, 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
    sel__guest *guest = prepare->data;
    sel_selector *sel = guest->sel;
    bool is_told = sel->first_changed == SEL__NO_FD;

    if (!is_told || sel_get_timeout(sel) == 0)
        pass(guest);
    is_told = sel->first_changed == SEL__NO_FD || sel__is_foreign(sel);
    set_timer(guest, is_told ? sel_get_timeout(sel) : 0);
    let_end(guest);
}

/*
 * A prepare handle that was started before ours runs after it. The timer keeps the loop
 * from sleeping before what that handle changes has been noticed.
 */
static void revive(sel__attachment *attachment)
{
    sel__guest *guest = (sel__guest *)attachment;

    uv_timer_start(&guest->timer, on_timer, 0, 0);
    uv_ref((uv_handle_t *)&guest->poll);
}

static void on_closed(uv_handle_t *handle)
{
    sel__guest *guest = handle->data;

    if (--guest->closing == 0)
        free(guest);
}

/*
 * The program has closed all handles of its loop, ours included, and we are not told
 * when that is done: so this is never freed.
 */
static void leave_behind(sel__guest *guest)
{
    static sel__guest *left_behind;

    guest->next = left_behind;
    left_behind = guest;
}

static void close_handles(sel__guest *guest)
{
    if (uv_is_closing((uv_handle_t *)&guest->poll)) {
        leave_behind(guest);
        return;
    }
    guest->sel = NULL;
    guest->closing = 3;
    uv_close((uv_handle_t *)&guest->poll, on_closed);
    uv_close((uv_handle_t *)&guest->prepare, on_closed);
    uv_close((uv_handle_t *)&guest->timer, on_closed);
}

/* Attached to the loop of sel_loop(), a selector would be inside itself. */
static bool is_ours(const sel_selector *sel, const struct uv_loop_s *loop)
{
    const sel__reactor *reactor = sel__reactor_of(sel);

    return reactor != NULL && reactor->main != NULL && loop == &reactor->main->loop.uv;
}

static void detach(sel__attachment *attachment)
{
    close_handles((sel__guest *)attachment);
}

int sel_attach_loop(sel_selector *sel, struct uv_loop_s *loop)
{
    int fd = loop != NULL ? sel_fileno(sel) : -EINVAL;
    sel__guest *guest;
    int error;

    if (fd < 0)
        return fd;
    if (sel__is_busy(sel))
        return -EBUSY;
    if (is_ours(sel, loop))
        return -ELOOP;
    guest = calloc(1, sizeof *guest);
    if (guest == NULL)
        return -ENOMEM;
    error = uv_poll_init(loop, &guest->poll, fd);
    if (error < 0) {
        free(guest);
        return error;
    }
    uv_prepare_init(loop, &guest->prepare);
    uv_timer_init(loop, &guest->timer);
    guest->poll.data = guest->prepare.data = guest->timer.data = guest;
    guest->seen = (sel__attachment){.revive = revive, .detach = detach};
    guest->sel = sel;
    uv_poll_start(&guest->poll, UV_READABLE, on_poll);
    /*
     * Left to libuv, the kernel would hear of it only when the loop runs, and libuv
     * would abort if the kernel then refused: for lack of memory, or because by then
     * the selector watches that loop in turn. Added now, whichever link would close the
     * circle is refused instead.
     */
    error = sel__set_add(uv_backend_fd(loop), fd);
    if (error < 0) {
        close_handles(guest);
        return error;
    }
    uv_prepare_start(&guest->prepare, on_prepare);
    uv_unref((uv_handle_t *)&guest->prepare);
    uv_unref((uv_handle_t *)&guest->timer);
    let_end(guest);
    sel->attachment = &guest->seen;
    sel->busy |= SEL__ATTACHED;
    return 0;
}
