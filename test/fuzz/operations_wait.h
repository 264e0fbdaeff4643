/* SPDX-License-Identifier: MIT */
/* What the two halves of the model share. */
#ifndef TEST_FUZZ_OPERATIONS_WAIT_H
#define TEST_FUZZ_OPERATIONS_WAIT_H

#include "operations_model.h"

void agree(const contestant *one, const char *call, int result, int wanted);

/* The callback of every key that has one. */
sel_callback called_back;
sel_task handle_called;

/* From now on the callbacks of this selector do `work`. */
void expect_callbacks(contestant *one, callback_work *work);

/* Its selector is gone; another may get the same memory. */
void expect_no_callbacks(const contestant *one);

#endif
