/* SPDX-License-Identifier: MIT */
/*
 * What every server here does around its loop: read the command line, listen and say
 * where; and what one has to know about accept() and close().
 *
 * An error before the loop ends the program, as fail.h says.
 */
#ifndef DEMO_LISTEN_H
#define DEMO_LISTEN_H

#include "kit/fail.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *purpose; /* one sentence for --help; set before parse_options() */
    bool takes_timeout;  /* is there a --timeout? set before parse_options() */
    bool takes_threads;  /* is there a --threads? set before parse_options() */
    bool takes_status;   /* is there a --status? set before parse_options() */
    const char *host;
    const char *port;
    int backlog;
    double timeout; /* seconds; SEL_FOREVER: never */
    int threads;    /* 1, unless the command line says more */
    bool status;
    bool verbose;
} server_options;

/* argparse's parse_args(); does not return from --help and --version. */
void parse_options(int argc, char **argv, server_options *options);

/* A listening socket, non-blocking and close-on-exec. */
int open_listener(const server_options *options);

/*
 * Another socket that listens at the same address, for another thread: the kernel
 * distributes new clients among them (SO_REUSEPORT, if --threads is over 1).
 */
int open_sibling(int listener, const server_options *options);

/* "127.0.0.1:1234" */
void name_listening(int listener, char *address, size_t size);

/* Print "listening on 127.0.0.1:1234" and how to try it. */
void print_listening(int listener);

/*
 * A descriptor kept in reserve for accept_client(): when all others are taken it is
 * closed, and its number is used to accept one client and hang up.  If that client were
 * not accepted, it would keep the listener readable and the loop spinning.
 */
int open_reserve(void);

/*
 * Accept one client, non-blocking and close-on-exec.  Returns its descriptor, or
 *   -EAGAIN        nobody is waiting
 *   -ECONNABORTED  the one who was has already gone; there may be another
 *   -EMFILE        no descriptor was left, and one client was turned away
 *   another error: the kernel has no room at all; try again a little later
 */
int accept_client(int listener, int *reserve);

/*
 * Accept whoever is waiting, at most ACCEPTS_PER_PASS, and hand them on.  Returns 0, or
 * a negative errno if the kernel has no room for another client.  Then don't watch the
 * listener for PAUSE_SECONDS: readable but not accepted from, it would keep the loop
 * spinning.
 */
typedef void client_adder(void *data, int fd); /* it owns the descriptor */
int accept_clients(int listener, int *reserve, client_adder *add, void *data,
                   bool verbose);
extern const double PAUSE_SECONDS;

/*
 * Has the client got all that was sent to it, and have we read all that it sent?
 * Closing a socket with unread bytes resets the connection, and whatever is still on
 * its way to the client is lost.
 */
bool is_settled(int fd);

#endif
