/* SPDX-License-Identifier: MIT */
/* The selector inside uv_run(), which has a timer of its own besides. */
#include "driver.h"

#include <selkie/uv.h>

#include <stdlib.h>

struct loop {
    uv_loop_t loop;
    uv_timer_t timer;
};

/* It keeps nothing alive. */
static void tick(uv_timer_t *timer)
{
    (void)timer;
}

loop *loop_open(sel_selector *sel)
{
    loop *self = malloc(sizeof *self);

    driver_check("memory", self == NULL);
    driver_check("uv_loop_init", uv_loop_init(&self->loop));
    driver_check("sel_attach_loop", sel_attach_loop(sel, &self->loop));
    uv_timer_init(&self->loop, &self->timer);
    uv_timer_start(&self->timer, tick, 1, 10);
    uv_unref((uv_handle_t *)&self->timer);
    return self;
}

void loop_run(loop *self)
{
    uv_run(&self->loop, UV_RUN_DEFAULT);
}

void loop_close(loop *self)
{
    uv_close((uv_handle_t *)&self->timer, NULL);
    uv_run(&self->loop, UV_RUN_DEFAULT); /* what sel_close() left on it goes, too */
    driver_check("uv_loop_close", uv_loop_close(&self->loop));
    free(self);
}
