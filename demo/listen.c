/* SPDX-License-Identifier: MIT */
/*
 * The command line and the sockets of the servers here.
 *
 * Nothing in this file waits, getaddrinfo() apart, and nothing keeps state.
 */
#include "listen.h"

#include <selkie.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

/* --help names the defaults that parse_options() sets. */
static const char usage[] =
    "  -H, --host HOST        the name or address to listen on (127.0.0.1)\n"
    "  -p, --port PORT        the port; 0: one that is free (1234)\n"
    "  -b, --backlog N        how many may wait to be accepted (4096)\n";
static const char usage_timeout[] =
    "  -t, --timeout SECONDS  end when nothing happens for so long (never)\n";
static const char usage_threads[] =
    "  -T, --threads N        serve on so many threads, a reactor each (1)\n";
static const char usage_status[] =
    "  -s, --status           show on the terminal what goes on\n";
static const char usage_end[] =
    "  -v, --verbose          tell on stderr who comes and goes\n"
    "  -h, --help             print this and exit\n"
    "  -V, --version          print the version and exit\n";

static void print_line(const char *format, va_list arguments)
{
    char message[512]; /* one write(), so that lines of several programs don't mix */
    vsnprintf(message, sizeof message, format, arguments);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
}

void fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    exit(status);
}

void note(bool verbose, const char *format, ...)
{
    if (!verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

void flush_stdout(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fail(EXIT_FAILURE, "cannot write to stdout: %s", strerror(errno));
}

/*
 * A program started with stdout closed would get its first socket as number 1
 * and print into it.  Opened the wrong way round, a stand-in fails as the closed
 * one would.
 */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static _Noreturn void print_help(const server_options *options)
{
    printf("Usage: %s [OPTION]...\n%s\n\n%s%s%s%s%s", program_invocation_short_name,
           options->purpose, usage, options->takes_timeout ? usage_timeout : "",
           options->takes_threads ? usage_threads : "",
           options->takes_status ? usage_status : "", usage_end);
    flush_stdout();
    exit(EXIT_SUCCESS);
}

static _Noreturn void print_version(void)
{
    printf("%s, selkie %s\n", program_invocation_short_name, sel_version());
    flush_stdout();
    exit(EXIT_SUCCESS);
}

static int whole_number(const char *name, const char *text, int lowest, int highest)
{
    size_t length = strlen(text);
    bool digits = length > 0 && length < 7 && strspn(text, "0123456789") == length;
    int number = digits ? (int)strtol(text, NULL, 10) : -1;
    if (number < lowest || number > highest)
        fail(EXIT_USAGE, "%s is a number from %d to %d, not '%s'", name, lowest, highest,
             text);
    return number;
}

static double positive_seconds(const char *name, const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);
    bool digits = *text != '\0' && text[strspn(text, "0123456789.")] == '\0';
    if (!digits || *end != '\0' || !(seconds > 0 && seconds <= 1e6))
        fail(EXIT_USAGE, "%s is seconds, over 0 and up to 1000000, not '%s'", name, text);
    return seconds;
}

static void set_option(server_options *options, int option, const char *value)
{
    switch (option) {
    case 'H':
        options->host = value;
        break;
    case 'p':
        whole_number("--port", value, 0, 65535);
        options->port = value;
        break;
    case 'b':
        options->backlog = whole_number("--backlog", value, 1, 65535);
        break;
    case 't':
        options->timeout = positive_seconds("--timeout", value);
        break;
    case 'T':
        options->threads = whole_number("--threads", value, 1, THREADS_MAX);
        break;
    case 's':
        options->status = true;
        break;
    case 'v':
        options->verbose = true;
        break;
    case 'h':
        print_help(options);
    case 'V':
        print_version();
    default: /* getopt_long() has said what is wrong */
        exit(EXIT_USAGE);
    }
}

static void add_option(struct option *names, char *letters, const char *name, char letter,
                       int argument)
{
    while (names->name != NULL)
        names++;
    *names = (struct option){name, argument, NULL, letter};
    letters += strlen(letters);
    snprintf(letters, sizeof "x:", argument == required_argument ? "%c:" : "%c", letter);
}

void parse_options(int argc, char **argv, server_options *options)
{
    struct option names[] = {
        {"host", required_argument, NULL, 'H'},
        {"port", required_argument, NULL, 'p'},
        {"backlog", required_argument, NULL, 'b'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}, /* room for what only some have */
        {NULL, 0, NULL, 0},
        {NULL, 0, NULL, 0},
        {NULL, 0, NULL, 0},
    };
    char letters[sizeof "H:p:b:vhV" + sizeof "t:T:s"] = "H:p:b:vhV";
    if (options->takes_timeout)
        add_option(names, letters, "timeout", 't', required_argument);
    if (options->takes_threads)
        add_option(names, letters, "threads", 'T', required_argument);
    if (options->takes_status)
        add_option(names, letters, "status", 's', no_argument);

    hold_standard_descriptors();
    argv[0] = program_invocation_short_name; /* with it getopt_long() begins its lines */
    options->host = "127.0.0.1";
    options->port = "1234";
    options->backlog = 4096;
    options->timeout = SEL_FOREVER;
    options->threads = 1;
    int option;
    while ((option = getopt_long(argc, argv, letters, names, NULL)) != -1)
        set_option(options, option, optarg);
    if (optind < argc)
        fail(EXIT_USAGE, "unexpected argument '%s'", argv[optind]);
}

/* Returns the socket or a negative errno. */
static int listen_on(const struct addrinfo *address, const server_options *options)
{
    const int on = 1;
    int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->ai_family, type, address->ai_protocol);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (options->threads > 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /* Inherited by what is accepted: an echo does not wait for more to send. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(fd, options->backlog) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int open_listener(const server_options *options)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int unknown = getaddrinfo(options->host, options->port, &hints, &addresses);
    if (unknown != 0)
        fail(EXIT_FAILURE, "cannot listen on %s port %s: %s", options->host,
             options->port, gai_strerror(unknown));
    /* The first that this machine has; a taken port is not made up for by the next. */
    int fd = -EADDRNOTAVAIL;
    for (struct addrinfo *a = addresses; a != NULL && fd < 0; a = a->ai_next) {
        fd = listen_on(a, options);
        if (fd == -EADDRINUSE)
            break;
    }
    freeaddrinfo(addresses);
    if (fd < 0)
        fail(EXIT_FAILURE, "cannot listen on %s port %s: %s", options->host,
             options->port, strerror(-fd));
    return fd;
}

int open_sibling(int listener, const server_options *options)
{
    struct sockaddr_storage address;
    struct addrinfo where = {.ai_socktype = SOCK_STREAM,
                             .ai_addr = (struct sockaddr *)&address,
                             .ai_addrlen = sizeof address};
    if (getsockname(listener, where.ai_addr, &where.ai_addrlen) < 0)
        fail(EXIT_FAILURE, "getsockname: %s", strerror(errno));
    where.ai_family = address.ss_family;
    int fd = listen_on(&where, options);
    if (fd < 0)
        fail(EXIT_FAILURE, "cannot listen once more: %s", strerror(-fd));
    return fd;
}

/* Where a socket listens, as two texts. */
static bool find_address(int listener, char host[NI_MAXHOST], char port[NI_MAXSERV])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        fail(EXIT_FAILURE, "getsockname: %s", strerror(errno));
    int error = getnameinfo((struct sockaddr *)&address, size, host, NI_MAXHOST, port,
                            NI_MAXSERV, NI_NUMERICHOST | NI_NUMERICSERV);
    if (error != 0)
        fail(EXIT_FAILURE, "getnameinfo: %s", gai_strerror(error));
    return address.ss_family == AF_INET6;
}

void name_listening(int listener, char *address, size_t size)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    bool ipv6 = find_address(listener, host, port);
    snprintf(address, size, ipv6 ? "[%s]:%s" : "%s:%s", host, port);
}

void print_listening(int listener)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    bool ipv6 = find_address(listener, host, port);
    printf(ipv6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
    printf("try: nc %s %s\n", host, port);
    flush_stdout();
}

int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_now(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int turn_away(int listener, int *reserve)
{
    if (*reserve >= 0)
        close(*reserve);
    int fd = accept_now(listener);
    if (fd >= 0)
        close(fd);
    *reserve = open_reserve();
    return fd >= 0 ? -EMFILE : fd == -EMFILE ? -ENFILE : fd;
}

int accept_client(int listener, int *reserve)
{
    int fd = accept_now(listener);
    switch (fd) {
    case -EMFILE:
    case -ENFILE:
        return turn_away(listener, reserve);
    /* What accept(2) says of a client whose network failed before it was accepted. */
    case -EINTR:
    case -ENETDOWN:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -ENONET:
    case -EHOSTUNREACH:
    case -EOPNOTSUPP:
    case -ENETUNREACH:
    case -EPERM: /* a firewall rule */
        return -ECONNABORTED;
    default:
        return fd;
    }
}

bool is_settled(int fd)
{
    int unread = 0, on_the_way = 0;
    return ioctl(fd, FIONREAD, &unread) == 0 && unread == 0 &&
           ioctl(fd, TIOCOUTQ, &on_the_way) == 0 && on_the_way == 0;
}
