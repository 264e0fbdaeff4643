/* SPDX-License-Identifier: MIT */
#include "support/dispositions.h"

static void ignore_quietly(int signum, siginfo_t *info, void *context)
{
    (void)signum;
    (void)info;
    (void)context;
}

void assert_same(const struct sigaction *a, const struct sigaction *b)
{
    ck_assert_int_eq(a->sa_flags, b->sa_flags);
    ck_assert(a->sa_sigaction == b->sa_sigaction);
    for (int signum = 1; signum < SIGRTMIN; signum++)
        ck_assert_int_eq(sigismember(&a->sa_mask, signum),
                         sigismember(&b->sa_mask, signum));
}

struct sigaction disposition_of(int signum)
{
    struct sigaction action;

    ck_assert_int_eq(sigaction(signum, NULL, &action), 0);
    return action;
}

struct sigaction install(int signum, int kind)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    sigemptyset(&action.sa_mask);
    if (kind == IGNORED)
        action.sa_handler = SIG_IGN;
    if (kind == HANDLED) {
        action.sa_sigaction = ignore_quietly;
        /* No SA_NODEFER: a storm would nest it until the stack ends. */
        action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        sigaddset(&action.sa_mask, SIGCHLD);
    }
    ck_assert_int_eq(sigaction(signum, &action, NULL), 0);
    return disposition_of(signum);
}
