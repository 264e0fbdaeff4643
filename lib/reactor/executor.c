/* SPDX-License-Identifier: MIT */
/*
 * The executor: libuv's thread pool, on a loop of its own, which a forked child can
 * leave behind.
 */
#include "reactor/services.h"

#include "selector/call.h"
#include "uv/pool.h"
#include "uv/pool_end.h"

#include <stdlib.h>

struct sel__job {
    sel__item item; /* in the queue of finished jobs */
    uv_work_t request;
    void (*work)(void *data);
    sel_done *done;
    void *data;
    int status;
    sel__job *next; /* in the list of running jobs */
    sel__job *previous;
};

static void on_work(uv_work_t *request)
{
    sel__job *job = request->data;

    job->work(job->data);
}

static void on_finished(uv_work_t *request, int status)
{
    sel__reactor *reactor = sel__reactor_on(request->loop);
    sel__job *job = request->data;

    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        reactor->jobs.running = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    job->status = status;
    sel__record(reactor, &reactor->jobs.finished, &job->item);
}

int sel_run_in_executor(sel_selector *sel, void (*work)(void *data), sel_done *done, void *data)
{
    sel__reactor *reactor;
    sel__job *job;
    int error = work != NULL ? sel__get_pool_loop(sel, __func__, &reactor) : -EINVAL;

    if (error < 0)
        return error;
    if (reactor->jobs.closing)
        return -ECANCELED;
    error = sel__prepare_pool_end();
    if (error == 0)
        error = sel__try_pool();
    if (error < 0)
        return error;
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return -ENOMEM;
    job->request.data = job;
    job->work = work;
    job->done = done;
    job->data = data;
    job->next = reactor->jobs.running;
    if (job->next != NULL)
        job->next->previous = job;
    reactor->jobs.running = job;
    uv_queue_work(&reactor->pool->loop.uv, &job->request, on_work, on_finished);
    sel__note_own_pool();
    sel__revive(sel);
    return 0;
}

int sel__jobs_dispatch(sel__reactor *reactor)
{
    sel__queue *finished = &reactor->jobs.finished;
    const sel__item *last = finished->last; /* as with signals */
    bool more = finished->first != NULL;
    int called = 0;

    while (more && !sel__is_foreign(reactor->sel)) {
        sel__item *item = sel__queue_pop(finished);
        sel__job *job = (sel__job *)item;

        more = item != last;
        reactor->sel->recorded--;
        if (job->done != NULL) {
            sel__call_done(reactor->sel, job->done, job->data, job->status);
            called++;
        }
        free(job);
    }
    return called;
}

void sel__jobs_end(sel__reactor *reactor)
{
    reactor->jobs.closing = true;
    for (sel__job *job = reactor->jobs.running; job != NULL; job = job->next)
        uv_cancel((uv_req_t *)&job->request);
    while (reactor->jobs.running != NULL)
        uv_run(&reactor->pool->loop.uv, UV_RUN_ONCE);
    sel__jobs_dispatch(reactor);
}

bool sel__jobs_abandon(sel__reactor *reactor)
{
    sel__job *running = reactor->jobs.running;
    sel__item *finished = sel__queue_take(&reactor->jobs.finished);
    bool were_running = running != NULL;

    while (running != NULL) {
        sel__job *next = running->next;

        free(running);
        running = next;
    }
    while (finished != NULL) {
        sel__item *next = finished->next;

        free(finished);
        finished = next;
        reactor->sel->recorded--;
    }
    reactor->jobs.running = NULL;
    return were_running;
}
