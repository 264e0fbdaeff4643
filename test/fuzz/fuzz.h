/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets have in common.
 *
 * A target is a function that takes any bytes: libFuzzer makes them up, or driver.c
 * reads them from files.  Whatever they are, it comes back, in milliseconds, and leaves
 * nothing behind; a promise that did not hold ends the process.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's names: once before all, and for each input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The bytes of an input, from the front; all zero from its end on. */
typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} fuzz_input;

int take_byte(fuzz_input *input);
size_t bytes_left(const fuzz_input *input);

/* One line of what is done, printed when FUZZ_VERBOSE is set. */
__attribute__((format(printf, 1, 2))) void tell_step(const char *format, ...);

/* Print what does not hold and abort. */
__attribute__((format(printf, 1, 2), noreturn)) void broken(const char *format, ...);

/* A call of the system's that can't fail here: without it nothing can be tested. */
int must(int result, const char *call);

/* At the beginning and the end of an input: libFuzzer opens some in between. */
int count_descriptors(void);
void check_descriptors(int before);

/* Open and close every backend: what libuv makes once for the process is made then. */
void warm_up(void);

/* From SEL_BACKEND_UV on, so that an input means the same where there is no kqueue. */
int count_backends(void);

#endif
