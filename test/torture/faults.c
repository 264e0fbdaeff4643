/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

fault_record *fault_run;
long fault_live;
bool faults_known[MOST_DESCRIPTORS];
void (*faults_handler)(void);

static _Thread_local bool is_armed;

void faults_begin(const fault_plan *plan)
{
    fault_run->plan = *plan;
    memset(fault_run->made, 0, sizeof fault_run->made);
    fault_run->struck = fault_run->total = 0;
    fault_run->sites.count = 0;
    fault_run->journal_length = 0;
    fault_run->journal[0] = fault_run->message[0] = '\0';
    is_armed = false;
}

void faults_pass(void)
{
    fault_run->plan.times = 0;
}

bool faults_arm(bool armed)
{
    bool before = is_armed;

    is_armed = armed;
    return before;
}

void faults_interrupt(void)
{
    void (*handler)(void) = faults_handler;

    if (!is_armed || handler == NULL)
        return;
    faults_handler = NULL;
    is_armed = false;
    handler();
    is_armed = true;
}

/* A run that makes many more calls than the one without faults goes round in a circle. */
static void look_for_spin(void)
{
    if (++fault_run->total > fault_run->most && fault_run->most > 0) {
        is_armed = false;
        fail_run("it spins: %ld calls", fault_run->total);
    }
}

static bool is_lie(const fault_plan *plan)
{
    const int *lie = fault_rows[plan->call].lies;

    while (*lie != 0 && *lie != plan->error)
        lie++;
    return *lie != 0;
}

static bool is_of_program(int fd)
{
    return fd >= 0 && fd < MOST_DESCRIPTORS && faults_known[fd];
}

/* A call that is only made when another fails. */
static bool opens_the_way(fault_call call)
{
    return call != NO_CALL && fault_rows[fault_run->plan.call].behind == call;
}

static void learn_site(fault_call call, const void *address, long count)
{
    fault_sites *sites = &fault_run->sites;

    for (int i = 0; i < sites->count; i++)
        if (sites->each[i].call == call && sites->each[i].address == address)
            return;
    if (sites->count == MOST_SITES)
        fail_run("there are more sites than %d", MOST_SITES);
    sites->each[sites->count++] = (fault_site){call, address, count};
}

bool faults_strike_at(fault_call call, int fd, const void *address)
{
    const fault_plan *plan;
    long count;

    if (!is_armed)
        return false;
    plan = &fault_run->plan;
    look_for_spin();
    if (opens_the_way(call)) {
        errno = fault_rows[call].errnos[0];
        return true;
    }
    if (call == plan->call && is_lie(plan) && !is_of_program(fd))
        return false;
    count = ++fault_run->made[call];
    if (plan->call == NO_CALL)
        learn_site(call, address, count);
    if (call != plan->call || count < plan->from || count - plan->from >= plan->times)
        return false;
    fault_run->struck++;
    errno = plan->error;
    return true;
}

bool faults_lie(void)
{
    return is_lie(&fault_run->plan);
}

bool faults_lied(void)
{
    return fault_run->struck > 0 && faults_lie();
}

bool faults_blind(void)
{
    return fault_run->plan.call == FSTAT && !faults_lie();
}

void fail_run(const char *format, ...)
{
    va_list arguments;

    is_armed = false;
    va_start(arguments, format);
    vsnprintf(fault_run->message, MESSAGE_SIZE, format, arguments);
    va_end(arguments);
    _exit(1);
}

void note(const char *format, ...)
{
    size_t room = JOURNAL_SIZE - fault_run->journal_length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(fault_run->journal + fault_run->journal_length, room, format,
                       arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        fail_run("the journal is full");
    fault_run->journal_length += (size_t)length;
}
