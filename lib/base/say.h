/* SPDX-License-Identifier: MIT */
/*
 * Writing output that the program did not ask for, without harming it.
 */
#ifndef SEL_SAY_H
#define SEL_SAY_H

#include <sys/types.h>

/*
 * write(2), or pwrite(2) if the offset is not negative. It raises no SIGPIPE or
 * SIGXFSZ, and no thread is cancelled in it.
 */
ssize_t sel__write_quietly(int fd, const void *bytes, size_t length, off_t offset);

/*
 * Print one line on stderr with a single write, so that lines from several threads stay
 * whole.
 */
void sel__say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
