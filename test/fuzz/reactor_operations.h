/* SPDX-License-Identifier: MIT */
/* An operation of the reactor's target: three bytes of the input. */
#ifndef TEST_FUZZ_REACTOR_OPERATIONS_H
#define TEST_FUZZ_REACTOR_OPERATIONS_H

#include "reactor_model.h"

typedef struct {
    uint8_t code, which, argument;
} operation;

typedef void operate(const operation *op);

/* What that does which is made by this operation: another of the same input. */
const void *choose_then(const operation *op);

extern int always_ready; /* an eventfd that is not 0 */

operate do_soon, do_post, do_later, do_at, do_every, do_reschedule, do_cancel;
operate do_add_signal, do_remove_signal, do_raise;
operate do_job, do_register, do_unregister, do_wakeup, do_stop, do_wrong;

#endif
