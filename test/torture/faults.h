/* SPDX-License-Identifier: MIT */
/*
 * Making calls fail. The library's objects are linked with --wrap, so that each
 * call that leaves them comes through a wrapper here, which asks whether it is
 * the one to fail. Only calls that are made while faults are armed, inside the
 * library, count and fail; libuv's own and the C library's never do.
 *
 * What has happened lives in memory that forked children share.
 */
#ifndef TORTURE_FAULTS_H
#define TORTURE_FAULTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* What can be made to fail: rows of fault_calls, of which kqueue(2)'s may be empty. */
typedef enum {
    NO_CALL,
    MEMORY,
    ATEXIT,
    CLONE,
    CLOSE,
    DUP3,
    EPOLL_CREATE1,
    EPOLL_CTL_TO_ADD,
    EPOLL_CTL_TO_CHANGE,
    EPOLL_CTL_TO_REMOVE,
    EPOLL_WAIT,
    EPOLL_PWAIT2,
    EVENTFD,
    EVENTFD_READ,
    EVENTFD_WRITE,
    FCNTL_DUPFD,
    FCNTL_GETFL,
    FCNTL_SETFL,
    FLOCK,
    FSTAT,
    FTRUNCATE,
    IOCTL_FIONBIO,
    IOCTL_FIONREAD,
    KEVENT_TO_ADD,
    KEVENT_TO_CHANGE,
    KEVENT_TO_REMOVE,
    KEVENT_TO_WAIT,
    KQUEUE,
    MADVISE,
    MMAP,
    OPEN,
    POLL,
    PPOLL,
    PSELECT,
    PTHREAD_ATFORK,
    PWRITE,
    SIGACTION_GET,
    SIGACTION_SET,
    UV_LOOP_FORK,
    UV_LOOP_INIT,
    UV_POLL_INIT,
    UV_SIGNAL_INIT,
    UV_SIGNAL_START,
    UV_THREAD_CREATE,
    WRITE,
    CALLS
} fault_call;

enum { MOST_ERRNOS = 24 };

typedef struct {
    const char *symbol; /* what is wrapped; of MEMORY several */
    const char *use;    /* which of its uses, or "" */
    int errnos[MOST_ERRNOS];
    /*
     * These say that the descriptor is closed or another file by now. So they are
     * told of the program's descriptors only, which may be, and the key may go
     * silent, as it would then, until it is registered again.
     */
    int lies[8];
    fault_call behind; /* it is made only when this one fails, so that does too */
} fault_row;

extern const fault_row fault_rows[CALLS];

/* A call that never fails here, and why that is no gap. */
typedef struct {
    const char *symbols; /* separated by blanks */
    const char *reason;
} fault_exception;

extern const fault_exception fault_exceptions[];

/* Which call fails, how, from its how-manieth on and how often. */
typedef struct {
    fault_call call;
    int error;
    long from;
    long times; /* FOR_EVER: until faults_pass() */
    bool is_first; /* in a process that has done nothing before */
} fault_plan;

#define FOR_EVER LONG_MAX

enum { JOURNAL_SIZE = 1 << 16, MESSAGE_SIZE = 600, MOST_SITES = 300 };

/* Where in the library's code a call is made, and when it is made there first. */
typedef struct {
    fault_call call;
    const void *address;
    long first; /* of all that are made of the call */
} fault_site;

typedef struct {
    fault_site each[MOST_SITES];
    int count;
} fault_sites;

/* Shared by a process and its children. */
typedef struct {
    fault_plan plan;
    long made[CALLS]; /* while armed, in this run */
    long made_first[CALLS]; /* in a process's first run, without a fault */
    fault_sites sites, sites_first; /* of the same two, where no fault is planned */
    long struck;      /* how many were made to fail */
    long total;       /* of all calls, in this run */
    long most;        /* more than that is a spin; 0: not known yet */
    long next;     /* plan to try; -1: all are tried */
    long length;   /* of the plans; 0: not made yet */
    long injected; /* failures, in all runs */
    bool tried[CALLS][MOST_ERRNOS];
    size_t journal_length;
    char journal[JOURNAL_SIZE]; /* what the program could observe */
    char message[MESSAGE_SIZE]; /* why the run failed */
} fault_record;

extern fault_record *fault_run;

/* Blocks that the library holds, in this process. */
extern long fault_live;

void faults_begin(const fault_plan *plan);

/* No call fails any more in this run. */
void faults_pass(void);

/* From here on calls are the library's; returns what to restore. */
bool faults_arm(bool armed);

/* A signal's handler that runs once: where the library's next wake-up is read. */
extern void (*faults_handler)(void);
void faults_interrupt(void);

/*
 * Does this call fail? Then errno is set. About which descriptor it is, or -1, and to
 * where it returns.
 */
bool faults_strike_at(fault_call call, int fd, const void *address);

/* For the wrappers, whose callers are the library's code. */
#define faults_strike_about(call, fd)                                          \
    faults_strike_at((call), (fd), __builtin_return_address(0))
#define faults_strike(call) faults_strike_about((call), -1)

enum { MOST_DESCRIPTORS = 4096 };

/* Which descriptors are the program's. */
extern bool faults_known[MOST_DESCRIPTORS];

/* Can the plan's error make a key silent? Has it come? */
bool faults_lie(void);
bool faults_lied(void);

/* Can nothing be said of whether a descriptor is still the same? */
bool faults_blind(void);

/* End the run as failed. */
_Noreturn void fail_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Add to what the program could observe. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
