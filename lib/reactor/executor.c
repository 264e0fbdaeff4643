/* SPDX-License-Identifier: MIT */
/*
 * The executor: libuv's thread pool, on a loop of its own, which a forked child
 * can leave behind.
 */
#include "reactor/loops.h"

#include "selector/call.h"
#include "uv/pool.h"
#include "uv/pool_end.h"

#include <stdlib.h>

struct sel__job {
    sel__item item; /* among the finished */
    uv_work_t request;
    void (*work)(void *data);
    sel_done *done;
    void *data;
    int status;
    sel__job *next; /* among the running */
    sel__job *previous;
};

static void on_work(uv_work_t *request)
{
    sel__job *job = request->data;

    job->work(job->data);
}

static void on_finished(uv_work_t *request, int status)
{
    sel__services *services = sel__services_of(request->loop);
    sel__job *job = request->data;

    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        services->jobs.running = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    job->status = status;
    sel__record(services, &services->jobs.finished, &job->item);
}

int sel_run_in_executor(sel_selector *sel, void (*work)(void *data), sel_done *done, void *data)
{
    sel__services *services;
    sel__job *job;
    int error = work != NULL ? sel__get_pool_loop(sel, __func__, &services) : -EINVAL;

    if (error < 0)
        return error;
    if (services->jobs.closing)
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
    job->next = services->jobs.running;
    if (job->next != NULL)
        job->next->previous = job;
    services->jobs.running = job;
    uv_queue_work(&services->pool->uv, &job->request, on_work, on_finished);
    sel__note_own_pool();
    sel__revive(sel);
    return 0;
}

int sel__jobs_dispatch(sel__services *services)
{
    sel__item *finished = sel__queue_take(&services->jobs.finished);
    int called = 0;

    while (finished != NULL && !sel__is_foreign(services->sel)) {
        sel__job *job = (sel__job *)finished;

        finished = finished->next;
        services->sel->recorded--;
        if (job->done != NULL) {
            sel__call_done(services->sel, job->done, job->data, job->status);
            called++;
        }
        free(job);
    }
    sel__queue_put_back(&services->jobs.finished, finished);
    return called;
}

void sel__services_end_jobs(sel__services *services)
{
    services->jobs.closing = true;
    for (sel__job *job = services->jobs.running; job != NULL; job = job->next)
        uv_cancel((uv_req_t *)&job->request);
    while (services->jobs.running != NULL)
        uv_run(&services->pool->uv, UV_RUN_ONCE);
    sel__jobs_dispatch(services);
}

bool sel__jobs_abandon(sel__services *services)
{
    sel__job *running = services->jobs.running;
    sel__item *finished = sel__queue_take(&services->jobs.finished);
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
        services->sel->recorded--;
    }
    services->jobs.running = NULL;
    return were_running;
}
