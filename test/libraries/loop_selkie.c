/* SPDX-License-Identifier: MIT */
/* The selector's own loop. */
#include "driver.h"

#include <stdlib.h>

struct loop {
    sel_selector *sel;
};

loop *loop_open(sel_selector *sel)
{
    loop *self = malloc(sizeof *self);

    driver_check("memory", self == NULL);
    self->sel = sel;
    return self;
}

void loop_run(loop *self)
{
    driver_check("sel_run", sel_run(self->sel));
}

void loop_close(loop *self)
{
    free(self);
}
