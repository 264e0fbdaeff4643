/* SPDX-License-Identifier: MIT */
/* os.fork(), and what else it takes when the parent has a selector. */
#ifndef DEMO_PROCESS_H
#define DEMO_PROCESS_H

#include <selkie.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * fork(), with the child's signals as in a new program: a handler inherited from the
 * parent would report the child's signals to the parent.
 *
 * Returns 0 in the child, which must leave its parent's selector alone and end with
 * _exit(); a failure ends the program.
 */
pid_t fork_child(void);

/* os.wait(), for so many children. */
void wait_for_all(int count);

/*
 * End a child's loop with its parent: `life` is one end of a pair, and the parent has
 * the other, which is closed at the latest when it ends.
 */
void end_with_parent(sel_selector *sel, int life);

/* Receive exactly `size` bytes, waiting; false if the other end is gone. */
bool receive_all(int fd, void *bytes, size_t size);

/* Send a line; receive one, without its newline.  False if the other end is gone. */
bool send_line(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool receive_line(int fd, char *line, size_t size);

#endif
