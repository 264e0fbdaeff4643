/* SPDX-License-Identifier: MIT */
/*
 * The listener is registered from start to stop; while accepting pauses, its key is
 * paused too.
 */
#include "kit/acceptor.h"

#include <unistd.h>

static sel_callback accept_cb;

static void resume_accepting(sel_selector *sel, void *data)
{
    acceptor *self = data;
    sel_modify(sel, self->listener, SEL_EVENT_READ, accept_cb, self);
}

static void pause_accepting(acceptor *self)
{
    int error = sel_call_later(self->sel, PAUSE_SECONDS, resume_accepting, self,
                               &self->pause);
    if (error == 0)
        sel_modify(self->sel, self->listener, 0, accept_cb, self);
}

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    acceptor *self = key->data;
    if (self->before != NULL)
        self->before(self->data);
    int error = accept_clients(self->listener, &self->reserve, self->add_client,
                               self->data, self->verbose);
    if (error < 0)
        pause_accepting(self);
}

int acceptor_start(acceptor *self)
{
    self->reserve = open_reserve();
    return sel_register(self->sel, self->listener, SEL_EVENT_READ, accept_cb, self);
}

void acceptor_stop(acceptor *self)
{
    sel_cancel(self->sel, self->pause);
    sel_unregister(self->sel, self->listener);
    close(self->listener);
    close(self->reserve);
}
