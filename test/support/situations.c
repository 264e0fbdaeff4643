/* SPDX-License-Identifier: MIT */
/*
 * Making situations, and the poll(2) that their tables are checked against.
 *
 * What make_situation() and change_situation() leave behind is stable: poll(2) has
 * agreed with the table, and nothing is on its way any more.
 */
#include "support/situations.h"
#include "support/support.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_NS = 2000000000 };

void nothing_happens(descriptors *ends)
{
    (void)ends;
}

void peer_closes(descriptors *ends)
{
    close(ends->peer);
    ends->peer = -1;
}

void peer_writes(descriptors *ends)
{
    put_byte(ends->peer);
}

void peer_reads_all(descriptors *ends)
{
    char bytes[65536];

    set_nonblocking(ends->peer, true);
    while (read(ends->peer, bytes, sizeof bytes) > 0)
        continue;
    ck_assert_int_eq(errno, EAGAIN);
}

const situation *situation_at(int i)
{
    const situation *table = socket_situations;

    while (table->name != NULL && i > 0) {
        table++;
        i--;
    }
    if (table->name != NULL)
        return table;
    return &file_situations[i];
}

int count_situations(void)
{
    int count = 0;

    while (situation_at(count)->name != NULL)
        count++;
    return count;
}

const situation *find_situation(const char *name)
{
    for (int i = 0; situation_at(i)->name != NULL; i++)
        if (strcmp(situation_at(i)->name, name) == 0)
            return situation_at(i);
    ck_abort_msg("no situation is called \"%s\"", name);
    return NULL;
}

int poll_rule(int fd, int events)
{
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    int ready = 0;

    ck_assert_int_ge(poll(&one, 1, 0), 0);
    if ((one.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        ready |= SEL_EVENT_READ;
    if ((one.revents & (POLLOUT | POLLHUP | POLLERR)) != 0)
        ready |= SEL_EVENT_WRITE;
    if ((one.revents & (POLLPRI | POLLHUP | POLLERR)) != 0)
        ready |= SEL_EVENT_EXCEPT;
    return ready & events;
}

static void settle(const situation *given, int fd, int ready)
{
    int64_t deadline = now_ns() + PATIENCE_NS;

    while (poll_rule(fd, EVERY_EVENT) != ready && now_ns() < deadline)
        sched_yield();
    ck_assert_msg(poll_rule(fd, EVERY_EVENT) == ready,
                  "%s: poll(2) says %d and the table %d", given->name,
                  poll_rule(fd, EVERY_EVENT), ready);
}

void make_situation(const situation *given, descriptors *ends)
{
    *ends = (descriptors){-1, -1, -1};
    given->make(ends);
    settle(given, ends->watched, given->before);
}

void change_situation(const situation *given, descriptors *ends)
{
    given->change(ends);
    settle(given, ends->watched, given->after);
}

void end_situation(descriptors *ends)
{
    const int all[] = {ends->watched, ends->peer, ends->other};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] >= 0)
            close(all[i]);
}

static char state_of(pid_t thread)
{
    char path[64], line[512] = "";
    const char *name_end;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    fclose(file);
    name_end = strrchr(line, ')');
    ck_assert_ptr_nonnull(name_end);
    return name_end[2];
}

/* It may wake up for a moment right afterwards, as TCP packets arrive. */
void wait_until_asleep(pid_t thread)
{
    int64_t deadline = now_ns() + PATIENCE_NS;
    char state;

    while ((state = state_of(thread)) != 'S' && now_ns() < deadline)
        sched_yield();
    ck_assert_int_eq(state, 'S');
}
