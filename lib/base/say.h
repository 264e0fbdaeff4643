/* SPDX-License-Identifier: MIT */
/*
 * Writing what the program has not asked to be written, so that it does not harm it.
 */
#ifndef SEL_SAY_H
#define SEL_SAY_H

#include <sys/types.h>

/*
 * write(2), or pwrite(2) if the offset is not negative. No SIGPIPE or SIGXFSZ comes of
 * it, and no thread is cancelled in it.
 */
ssize_t sel__write_quietly(int fd, const void *bytes, size_t length, off_t offset);

/* One line on stderr, by one call, so that lines of several threads stay whole. */
void sel__say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
