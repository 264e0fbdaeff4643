/* SPDX-License-Identifier: MIT */
/*
 * What can be found out about a descriptor without waiting for it.
 */
#ifndef SEL_DESCRIPTOR_H
#define SEL_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/* Sockets and pipes can always be waited for; about other files only the kernel knows. */
typedef enum { SEL__OTHER, SEL__PIPE, SEL__SOCKET } sel__kind;

/*
 * Which file a descriptor stands for: device and inode in one number. Two open files
 * have the same number only if they share both (all eventfds do). Returns 0, or -EBADF
 * or another negative errno.
 */
int sel__identify(int fd, uint64_t *ret_identity, sel__kind *ret_kind);

bool sel__is_open(int fd);

/* The regular files that can be waited for are in /proc and /sys. */
bool sel__is_regular(int fd);

#endif
