/* SPDX-License-Identifier: MIT */
/*
 * What a socket can be told, and what it answers: options, blocking and timeouts, a file
 * over it, errors.  docs/twins/socket_options.py is the same program in Python's socket
 * module; what both print is the same.
 *
 * Nothing here waits for what is not certain to happen.
 */
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int get_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    checked(getsockopt(fd, level, option, &value, &size), "get an option");
    return value;
}

static void set_option(int fd, int level, int option, int value)
{
    checked(setsockopt(fd, level, option, &value, sizeof value), "set an option");
}

static void options(void)
{
    puts("options");
    int fd = checked(socket(AF_INET, SOCK_STREAM, 0), "make a socket");
    printf("  SO_TYPE is SOCK_STREAM: %s\n",
           yes_or_no(get_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM));
    printf("  SO_REUSEADDR: %d", get_option(fd, SOL_SOCKET, SO_REUSEADDR));
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    printf(", then %d\n", get_option(fd, SOL_SOCKET, SO_REUSEADDR));
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    printf("  TCP_NODELAY: %d\n", get_option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
    set_option(fd, SOL_SOCKET, SO_RCVBUF, 10000);
    printf("  SO_RCVBUF: 10000 asked for, %d given\n",
           get_option(fd, SOL_SOCKET, SO_RCVBUF));
    close(fd);
}

/* SO_RCVTIMEO counts in the kernel's ticks and may be early by one, so poll() it is. */
static void timeouts(void)
{
    int pair[2];
    char byte;
    puts("blocking and timeouts");
    open_pair(SOCK_STREAM, pair);
    printf("  a new socket blocks: %s\n",
           yes_or_no((fcntl(pair[0], F_GETFL) & O_NONBLOCK) == 0));
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    printf("  setblocking(False), recv(): %s\n",
           error_name(recv(pair[0], &byte, 1, 0) < 0 ? errno : 0));
    double start = monotonic();
    struct pollfd readable = {.fd = pair[0], .events = POLLIN};
    int ready = poll(&readable, 1, 100);
    printf("  settimeout(0.1), recv(): %s, it was early: %s\n",
           ready == 0 ? "timed out" : "no timeout", yes_or_no(monotonic() - start < 0.1));
    send(pair[1], "x", 1, 0);
    ready = poll(&readable, 1, 20000);
    printf("  settimeout(20), recv() of what is there: %zd byte\n",
           ready > 0 ? recv(pair[0], &byte, 1, 0) : 0);
    close_pair(pair);
}

static void makefile(void)
{
    int pair[2];
    char line[64];
    puts("makefile()");
    open_pair(SOCK_STREAM, pair);
    FILE *writer = fdopen(pair[0], "w"), *reader = fdopen(pair[1], "r");
    if (writer == NULL || reader == NULL)
        fail(EXIT_FAILURE, "cannot make files: %s", strerror(errno));
    fputs("first line\nsecond line\n", writer);
    fclose(writer); /* sends what it has buffered, and closes the socket */
    while (fgets(line, sizeof line, reader) != NULL)
        printf("  %s", line);
    fclose(reader);
}

static void errors(void)
{
    int pair[2];
    char byte;
    struct addrinfo *addresses = NULL;
    const struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST};
    puts("errors");
    open_pair(SOCK_STREAM, pair);
    close(pair[1]);
    printf("  recv() after the peer closed: %zd bytes\n", recv(pair[0], &byte, 1, 0));
    printf("  send() after the peer closed: %s\n",
           error_name(send(pair[0], "x", 1, MSG_NOSIGNAL) < 0 ? errno : 0));
    close(pair[0]);
    open_pair(SOCK_STREAM, pair);
    send(pair[0], "x", 1, 0);
    close(pair[1]); /* with a byte unread */
    printf("  recv() after it closed without reading: %s\n",
           error_name(recv(pair[0], &byte, 1, 0) < 0 ? errno : 0));
    close(pair[0]);
    int unknown = getaddrinfo("no.number", "80", &numeric, &addresses);
    printf("  gaierror: %s\n", unknown == EAI_NONAME ? "EAI_NONAME" : "another");
    puts("  herror: only gethostbyname() and its like, older than getaddrinfo()");
}

int main(int argc, char **argv)
{
    static const command_option no_options[] = {{.name = NULL}};
    read_command_line(argc, argv, "Try what a socket can be told and what it answers.",
                      no_options);
    options();
    timeouts();
    makefile();
    errors();
    flush_stdout();
    return EXIT_SUCCESS;
}
