/* SPDX-License-Identifier: MIT */
/*
 * What Linux has and other systems have not: here they get it by Linux's names, as far as
 * the tests need it.
 */
#ifndef TEST_OS_H
#define TEST_OS_H

#ifdef __linux__

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THIS_THREAD() ((pid_t)syscall(SYS_gettid))
#define DESCRIPTORS "/proc/self/fd"

#else

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define THIS_THREAD() ((pid_t)((uintptr_t)pthread_self() >> 4 & INT32_MAX))
#define DESCRIPTORS "/dev/fd"

#ifndef RUSAGE_THREAD
#define RUSAGE_THREAD RUSAGE_SELF
#endif

/* What is made with these stays open in a program that a test starts. */
#define SOCK_CLOEXEC 0
#define EFD_CLOEXEC 0
#define pipe2(ends, flags) pipe(ends)
#define accept4(fd, address, length, flags) accept(fd, address, length)
#define dup3(fd, number, flags) dup2(fd, number)

/*
 * One descriptor that is readable once something was written to it, and always writable: a
 * socket that sends to itself.
 */
int eventfd(unsigned int value, int flags);

#endif

#endif
