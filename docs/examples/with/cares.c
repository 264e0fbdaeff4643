/* SPDX-License-Identifier: MIT */
/*
 * Look up names with c-ares, all at once.
 *
 *     cares SERVER[:PORT] NAME...
 */
#include "selkie_cares.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>

typedef struct {
    const char *name;
    int *failed;
} question;

static void answer(void *data, int status, int timeouts, struct ares_addrinfo *result)
{
    question *self = data;
    char text[INET_ADDRSTRLEN];

    (void)timeouts;
    if (status != ARES_SUCCESS) {
        fprintf(stderr, "cares: %s: %s\n", self->name, ares_strerror(status));
        *self->failed = 1;
        return;
    }
    for (struct ares_addrinfo_node *node = result->nodes; node != NULL; node = node->ai_next) {
        const struct sockaddr_in *address = (const void *)node->ai_addr;
        inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
        printf("%s: %s\n", self->name, text);
    }
    ares_freeaddrinfo(result);
}

int main(int argc, char **argv)
{
    /* Names are taken as written, and not looked up in /etc/hosts. */
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH, .lookups = "b"};
    const struct ares_addrinfo_hints hints = {.ai_family = AF_INET};
    question questions[100];
    selkie_cares cares;
    sel_selector *sel;
    int failed = 0;

    if (argc < 3 || argc > 102) {
        fprintf(stderr, "usage: cares SERVER[:PORT] NAME...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    ares_library_init(ARES_LIB_INIT_ALL);
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        selkie_cares_open(&cares, sel, options, ARES_OPT_FLAGS | ARES_OPT_LOOKUPS) !=
            ARES_SUCCESS ||
        ares_set_servers_ports_csv(cares.channel, argv[1]) != ARES_SUCCESS) {
        fprintf(stderr, "cares: there is no channel to %s\n", argv[1]);
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        questions[i - 2] = (question){.name = argv[i], .failed = &failed};
        ares_getaddrinfo(cares.channel, argv[i], NULL, &hints, answer, &questions[i - 2]);
    }

    sel_run(sel); /* until nothing is left to wait for */

    selkie_cares_close(&cares);
    sel_close(sel);
    ares_library_cleanup();
    return failed;
}
