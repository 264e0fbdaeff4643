/* SPDX-License-Identifier: MIT */
/* os.fork() and what comes with it when the parent has a selector. */
#ifndef DEMO_PROCESS_H
#define DEMO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * fork(), with the signals of the child as they are in a new program: a handler that
 * it had from its parent would tell the parent of the child's signals.
 *
 * Returns 0 in the child, which leaves its parent's selector alone and ends with
 * _exit(); a failure ends the program.
 */
pid_t fork_child(void);

/* socketpair(): what one end sends, the other receives; ends the program on failure. */
void open_pair(int ends[2]);

/* Receive all of it, waiting; false: the other end is gone. */
bool receive_all(int fd, void *bytes, size_t size);

/* Send a line; receive one, without its newline.  False: the other end is gone. */
bool send_line(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool receive_line(int fd, char *line, size_t size);

#endif
