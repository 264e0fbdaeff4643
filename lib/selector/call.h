/* SPDX-License-Identifier: MIT */
/*
 * Calling the program. Every call goes through here, so that it can be observed.
 */
#ifndef SEL_CALL_H
#define SEL_CALL_H

#include "debug/observer.h"
#include "selector/selector.h"

void sel__call_task_observed(sel_selector *sel, int fd, sel_task *task, void *data,
                             const char *kind);

/* Call a task on behalf of a descriptor; SEL__NO_FD: of none. */
static inline void sel__call_task_of(sel_selector *sel, int fd, sel_task *task,
                                     void *data, const char *kind)
{
    if (sel->observer == NULL)
        task(sel, data);
    else
        sel__call_task_observed(sel, fd, task, data, kind);
}

static inline void sel__call_task(sel_selector *sel, sel_task *task, void *data,
                                  const char *kind)
{
    sel__call_task_of(sel, SEL__NO_FD, task, data, kind);
}

/* The library's own callback reports by itself what it calls. */
static inline void sel__call_observed(sel_selector *sel, const sel_ready *pair)
{
    sel_callback *callback = pair->key.callback;
    int fd = pair->key.fd;
    int unread = sel__observe_unread(sel->observer, fd);

    if (callback == sel->handles_callback) {
        callback(sel, &pair->key, pair->mask);
    } else {
        sel__observe_begin(sel->observer);
        callback(sel, &pair->key, pair->mask);
        sel__observe_end(sel->observer, "callback", fd, (sel__function *)callback);
    }
    sel__observe_read(sel->observer, fd, unread);
}

static inline void sel__call_done(sel_selector *sel, sel_done *done, void *data, int status)
{
    if (sel->observer == NULL) {
        done(sel, data, status);
        return;
    }
    sel__observe_begin(sel->observer);
    done(sel, data, status);
    sel__observe_end(sel->observer, "done", SEL__NO_FD, (sel__function *)done);
}

#endif
