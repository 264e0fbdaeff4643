/* SPDX-License-Identifier: MIT */
/*
 * An operation is noted before it is done, so that what is noted by a child
 * that its operation kills ends with that operation.
 */
#include "lockstep/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child exits with: BROKEN is the test's own trouble. */
enum { SAME = 0, DIFFERENT = 1, BROKEN = 2 };

typedef struct {
    outcome found;
    long steps;
    sequence done;
} record;

static record *shared;
static unsigned int step_limit;

void prepare_processes(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared != MAP_FAILED)
        return;
    perror("mmap");
    exit(BROKEN);
}

void begin_sequence(void)
{
    shared->done.length = 0;
}

/* SIGALRM is left to end a child that hangs. */
void note_operation(operation done)
{
    alarm(step_limit);
    shared->steps++;
    shared->done.operations[shared->done.length++] = done;
}

void take_back_operation(void)
{
    shared->steps--;
    shared->done.length--;
}

const sequence *done_sequence(void)
{
    return &shared->done;
}

long done_steps(void)
{
    return shared->steps;
}

void differ(const char *backend, const char *format, ...)
{
    outcome *found = &shared->found;
    va_list arguments;

    found->differs = true;
    found->format = format;
    snprintf(found->backend, sizeof found->backend, "%s", backend);
    va_start(arguments, format);
    vsnprintf(found->text, sizeof found->text, format, arguments);
    va_end(arguments);
    exit(DIFFERENT);
}

static void be_child(child_function *run, const void *argument, bool quiet)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (quiet && freopen("/dev/null", "w", stderr) == NULL)
        exit(BROKEN);
    alarm(step_limit);
    run(argument);
    exit(SAME);
}

static pid_t start_child(void)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child >= 0)
        return child;
    perror("fork");
    exit(BROKEN);
}

/* A child that is gone without a word: killed, hung, or stopped by a checker. */
static void describe_end(outcome *found)
{
    int status = found->status;

    found->differs = true;
    found->format = NULL;
    snprintf(found->backend, sizeof found->backend, "all");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(found->text, sizeof found->text, "a step takes over %u s", step_limit);
    else if (WIFSIGNALED(status))
        snprintf(found->text, sizeof found->text, "ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(found->text, sizeof found->text, "ended with status %d",
                 WEXITSTATUS(status));
}

outcome run_in_child(child_function *run, const void *argument, unsigned int seconds,
                     bool quiet)
{
    pid_t child;
    int status;

    shared->found = (outcome){.differs = false};
    shared->steps = 0;
    begin_sequence();
    step_limit = seconds;
    child = start_child();
    if (child == 0)
        be_child(run, argument, quiet);
    if (waitpid(child, &status, 0) != child ||
        (WIFEXITED(status) && WEXITSTATUS(status) == BROKEN))
        exit(BROKEN);
    shared->found.status = status;
    if (status != 0 && !shared->found.differs)
        describe_end(&shared->found);
    return shared->found;
}

bool is_same_outcome(const outcome *one, const outcome *other)
{
    return one->differs == other->differs && one->format == other->format &&
           one->status == other->status && strcmp(one->backend, other->backend) == 0;
}
