/* SPDX-License-Identifier: MIT */
/*
 * Conversations as state machines: what a coroutine is when the language has none.
 *
 * Two visitors at a door are asked for their names, then for their towns.  Between a
 * question and its answer greet() has returned to the loop, so a struct keeps where
 * the conversation is and what it knows so far.  This program plays both sides:
 * visit() gives the visitors' answers, so that one answers while the other's
 * conversation is still in the middle. docs/twins/coroutines.py is the same with
 * generators, whose place and local variables Python keeps.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"

#include <selkie.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VISITORS = 2, LINE_SIZE = 40, ANSWER_SIZE = 3 * LINE_SIZE };

/* The stack that greet() does not have. */
typedef struct {
    int fd;
    enum { WANTS_NAME, WANTS_TOWN } state;
    char name[LINE_SIZE];
} conversation;

static sel_task visit;

/* What is said at which door, and in which order; NULL: nothing more. */
typedef struct {
    int door;
    const char *answer;
} visit_step;

typedef struct {
    const visit_step *step;
    int fds[VISITORS];
} visitors;

static const visit_step STEPS[] = {{0, "ann"},  {1, "bob"},  {1, "oslo"}, {1, NULL},
                                   {0, "rome"}, {0, NULL},   {-1, NULL}};

/* One line is one message: SOCK_SEQPACKET keeps them apart. */
static void say(int fd, const char *line)
{
    checked((int)send(fd, line, strlen(line), MSG_NOSIGNAL), "send");
}

static void hear(int fd, char *line)
{
    line[checked((int)recv(fd, line, LINE_SIZE - 1, 0), "receive")] = '\0';
}

static void greet(sel_selector *sel, void *data)
{
    conversation *self = data;
    char line[LINE_SIZE], answer[ANSWER_SIZE];

    hear(self->fd, line);
    switch (self->state) {
    case WANTS_NAME:
        memcpy(self->name, line, sizeof line);
        snprintf(answer, sizeof answer, "hello %s, where do you live?",
                 self->name);
        self->state = WANTS_TOWN;
        break;
    case WANTS_TOWN:
        snprintf(answer, sizeof answer, "%s of %s, good bye",
                 self->name, line);
        sel_remove_reader(sel, self->fd);
        break;
    }
    say(self->fd, answer);
}

static void start_greeting(sel_selector *sel, conversation *self)
{
    self->state = WANTS_NAME;
    say(self->fd, "who is there?");
    check(sel_add_reader(sel, self->fd, greet, self), "watch a door");
}

/* Go to another door and wait there. */
static void go(sel_selector *sel, visitors *self, int from, int to)
{
    if (from >= 0)
        sel_remove_reader(sel, self->fds[from]);
    if (to >= 0)
        check(sel_add_reader(sel, self->fds[to], visit, self),
              "watch a door");
}

/* A step: hear the question, give the answer. */
static void visit(sel_selector *sel, void *data)
{
    visitors *self = data;
    const visit_step *step = self->step++;
    char line[LINE_SIZE];

    hear(self->fds[step->door], line);
    printf("%d hears: %s\n", step->door + 1, line);
    if (step->answer != NULL) {
        printf("%d says: %s\n", step->door + 1, step->answer);
        say(self->fds[step->door], step->answer);
    }
    if (self->step->door != step->door)
        go(sel, self, step->door, self->step->door);
}

static void run(void)
{
    sel_selector *sel;
    conversation greeted[VISITORS];
    visitors both = {.step = STEPS};

    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    for (int i = 0; i < VISITORS; i++) {
        int ends[2];
        open_pair(SOCK_SEQPACKET, ends);
        greeted[i].fd = ends[0];
        both.fds[i] = ends[1];
        start_greeting(sel, &greeted[i]);
    }
    go(sel, &both, -1, STEPS[0].door);
    check(sel_run(sel), "wait"); /* until nobody is watched any more */
    sel_close(sel);
    for (int i = 0; i < VISITORS; i++) {
        close(greeted[i].fd);
        close(both.fds[i]);
    }
}

int main(int argc, char **argv)
{
    const command_option no_options[] = {{0}};
    read_command_line(argc, argv, "Two conversations that take turns in one thread.",
                      no_options);
    run();
    flush_stdout();
    return EXIT_SUCCESS;
}
