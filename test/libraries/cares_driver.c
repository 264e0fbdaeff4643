/* SPDX-License-Identifier: MIT */
/*
 * c-ares, driven by lines:
 *
 *     ask ID NAME     look it up
 *     twice ID NAME   and once more from the answer
 *     last ID NAME    and then give up all the others and begin with a new channel
 *
 * Each ends with one line: `ID ADDRESS`, or `ID -` and c-ares's error.
 *
 *     cares_driver SERVER:PORT MILLISECONDS [tcp]
 */
#include "driver.h"
#include "selkie_cares.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    driver lines; /* the first member: a pointer to the one is one to the other */
    selkie_cares cares;
    const char *server;
    int timeout, flags;
    bool is_ending;
} program;

typedef struct {
    program *owner;
    int id;
    char kind; /* the first letter of its word */
    char name[100];
} question;

static void begin(program *self)
{
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | self->flags, .lookups = "b",
                                   .timeout = self->timeout, .tries = 2};

    driver_check("ares_init_options",
                 selkie_cares_open(&self->cares, self->lines.sel, options,
                                   ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS |
                                       ARES_OPT_TRIES));
    driver_check("ares_set_servers_ports_csv",
                 ares_set_servers_ports_csv(self->cares.channel, self->server));
}

/* A task, for what c-ares's callbacks must not do. */
static void begin_anew(sel_selector *sel, void *data)
{
    program *self = data;

    (void)sel;
    if (self->is_ending)
        return;
    selkie_cares_close(&self->cares);
    begin(self);
}

static void print_answer(const question *self, int status, const struct ares_addrinfo *result)
{
    char text[INET_ADDRSTRLEN];

    if (status != ARES_SUCCESS) {
        printf("%d - %s\n", self->id, ares_strerror(status));
        return;
    }
    const struct sockaddr_in *address = (const void *)result->nodes->ai_addr;
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    printf("%d %s\n", self->id, text);
}

static void answer(void *data, int status, int timeouts, struct ares_addrinfo *result);

static void ask(question *self)
{
    const struct ares_addrinfo_hints hints = {.ai_family = AF_INET};

    ares_getaddrinfo(self->owner->cares.channel, self->name, NULL, &hints, answer, self);
}

static void answer(void *data, int status, int timeouts, struct ares_addrinfo *result)
{
    question *self = data;
    program *owner = self->owner;

    (void)timeouts;
    if (self->kind == 't' && status != ARES_EDESTRUCTION) {
        self->kind = 'a';
        ares_freeaddrinfo(result);
        ask(self);
        return;
    }
    print_answer(self, status, result);
    ares_freeaddrinfo(result);
    if (self->kind == 'l' && status != ARES_EDESTRUCTION)
        driver_check("sel_call_soon", sel_call_soon(owner->lines.sel, begin_anew, owner));
    driver_add_stranger(&owner->lines);
    free(self);
}

static void command(driver *lines, int id, char *word, char *rest)
{
    question *asked = calloc(1, sizeof *asked);

    driver_check("memory", asked == NULL);
    *asked = (question){.owner = (program *)lines, .id = id, .kind = word[0]};
    snprintf(asked->name, sizeof asked->name, "%s", rest);
    ask(asked);
}

static void no_more(driver *lines)
{
    program *self = (program *)lines;

    self->is_ending = true;
    selkie_cares_close(&self->cares);
}

int main(int argc, char **argv)
{
    static program self = {.lines = {.command = command, .end = no_more}};
    int status;

    driver_check("usage: cares_driver SERVER:PORT MILLISECONDS [tcp]", argc < 3);
    self.server = argv[1];
    self.timeout = atoi(argv[2]);
    self.flags = argc > 3 ? ARES_FLAG_USEVC : 0;
    signal(SIGPIPE, SIG_IGN);
    ares_library_init(ARES_LIB_INIT_ALL);
    driver_open(&self.lines);
    begin(&self);
    status = driver_run(&self.lines);
    ares_library_cleanup();
    return status;
}
