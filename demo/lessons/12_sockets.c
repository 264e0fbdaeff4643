/* SPDX-License-Identifier: MIT */
/*
 * Sockets, call by call, from making one to sending: each section does something and
 * prints what it saw.  docs/twins/sockets.py is the same program in Python's socket
 * module; what both print is the same.  socket_options has what else one can ask.
 *
 * Everything stays on this machine, and nothing here waits for what is not certain
 * to happen.  SOCK_RAW needs a right (CAP_NET_RAW) and says so where it is
 * missing.
 */
#include "kit/blocking.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEBIBYTE = 1 << 20 };

typedef struct {
    int number;
    const char *name;
} constant;

#define CONSTANT(name) {name, #name}

static void families_and_types(void)
{
    static const constant families[] = {
        CONSTANT(AF_UNIX), CONSTANT(AF_INET), CONSTANT(AF_INET6), {0, NULL}};
    static const constant types[] = {
        CONSTANT(SOCK_STREAM), CONSTANT(SOCK_DGRAM), CONSTANT(SOCK_SEQPACKET), {0, NULL}};
    puts("families and types");
    for (const constant *family = families; family->name != NULL; family++) {
        for (const constant *type = types; type->name != NULL; type++) {
            int fd = socket(family->number, type->number, 0);
            printf("  %s %s: %s\n", family->name, type->name,
                   fd >= 0 ? "made" : error_name(errno));
            if (fd >= 0)
                close(fd);
        }
    }
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    printf("  AF_INET SOCK_RAW: %s\n", raw >= 0         ? "made, this process may"
                                       : errno == EPERM ? "EPERM, it needs CAP_NET_RAW"
                                                        : error_name(errno));
    if (raw >= 0)
        close(raw);
}

static void boundaries(const char *name, int type)
{
    int pair[2];
    char bytes[16];
    open_pair(type, pair);
    send(pair[0], "one", 3, 0);
    send(pair[0], "two", 3, 0);
    ssize_t size = recv(pair[1], bytes, sizeof bytes, 0);
    printf("  %s: sent one, two; the first recv(): %.*s\n", name, (int)size, bytes);
    close_pair(pair);
}

static void what_a_type_means(void)
{
    puts("what a type means");
    boundaries("SOCK_STREAM", SOCK_STREAM);
    boundaries("SOCK_DGRAM", SOCK_DGRAM);
    boundaries("SOCK_SEQPACKET", SOCK_SEQPACKET);
}

static void names(void)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    puts("names");
    int listener = bound_socket(SOCK_STREAM);
    int client = checked(socket(AF_INET, SOCK_STREAM, 0), "make a socket");
    checked(listen(listener, 5), "listen");
    printf("  port 0 was asked for, it is still 0: %s\n",
           yes_or_no(port_of(listener) == 0));
    int failed = getpeername(client, (struct sockaddr *)&peer, &size);
    printf("  getpeername() before connect(): %s\n", error_name(failed < 0 ? errno : 0));
    printf("  connect_ex(): %s\n", error_name(connect_ex(client, port_of(listener))));
    int conn = checked(accept(listener, NULL, NULL), "accept");
    checked(getpeername(conn, (struct sockaddr *)&peer, &size), "find the peer");
    printf("  the server's peer is the client's own name: %s\n",
           yes_or_no(ntohs(peer.sin_port) == port_of(client)));
    printf("  the connection's port is the listener's: %s\n",
           yes_or_no(port_of(conn) == port_of(listener)));
    struct sockaddr_in taken = loopback(port_of(listener));
    int second = checked(socket(AF_INET, SOCK_STREAM, 0), "make a socket");
    failed = bind(second, (struct sockaddr *)&taken, sizeof taken);
    printf("  bind() to a port that is taken: %s\n", error_name(failed < 0 ? errno : 0));
    close(second);
    close(conn);
    close(client);
    close(listener);
}

/*
 * How many may connect before anybody accepts.  Over AF_UNIX one too many is told so
 * at once; over TCP its connect() would wait.
 */
static void backlog(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sockaddr *name = (struct sockaddr *)&address;
    socklen_t size = sizeof(sa_family_t); /* no more: the kernel picks a name */
    int type = SOCK_STREAM | SOCK_NONBLOCK, clients[10], count = 0, error = 0;
    int listener = checked(socket(AF_UNIX, type, 0), "make a socket");
    checked(bind(listener, name, size), "bind");
    size = sizeof address;
    checked(getsockname(listener, name, &size), "find a name");
    checked(listen(listener, 2), "listen");
    while (count < 10 && error == 0) {
        clients[count] = checked(socket(AF_UNIX, type, 0), "make a socket");
        error = connect(clients[count++], name, size) < 0 ? errno : 0;
    }
    puts("backlog");
    printf("  listen(2), nobody accepts: %d connect, the next: %s\n", count - 1,
           error_name(error));
    while (count > 0)
        close(clients[--count]);
    close(listener);
}

/* Start to connect without waiting, wait for WRITE, ask how it went. */
static void connect_later(const char *what, int port)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "make a socket");
    int started = connect_ex(fd, port);
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    int ready = poll(&writable, 1, 20000);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    printf("  %s: connect_ex() %s, then writable: %s, SO_ERROR %s\n", what,
           error_name(started), yes_or_no(ready > 0), error_name(error));
    close(fd);
}

static void connecting(void)
{
    puts("connect without waiting");
    int listener = bound_socket(SOCK_STREAM), nobody = bound_socket(SOCK_STREAM);
    checked(listen(listener, 5), "listen");
    connect_later("somebody listens", port_of(listener));
    connect_later("nobody listens", port_of(nobody)); /* its port is taken, not open */
    close(nobody);
    close(listener);
}

/* A process that reads to the end and answers how much that was. */
static pid_t count_bytes(const int pair[2])
{
    pid_t child = checked(fork(), "fork");
    if (child > 0)
        return child;
    static char bytes[65536];
    char answer[32];
    ssize_t size, total = 0;
    close(pair[0]);
    while ((size = recv(pair[1], bytes, sizeof bytes, 0)) > 0)
        total += size;
    snprintf(answer, sizeof answer, "%zd", total);
    send_all(pair[1], answer, strlen(answer));
    _exit(0);
}

static void send_and_sendall(void)
{
    static const char bytes[MEBIBYTE];
    char answer[32];
    int pair[2];
    puts("send() and sendall()");
    fflush(stdout); /* or the child would have it to print, too */
    open_pair(SOCK_STREAM, pair);
    ssize_t sent = send(pair[0], bytes, sizeof bytes, MSG_DONTWAIT);
    printf("  send() of a mebibyte took something: %s, all: %s\n", yes_or_no(sent > 0),
           yes_or_no(sent == MEBIBYTE));
    fflush(stdout);
    pid_t child = count_bytes(pair);
    close(pair[1]);
    int error = send_all(pair[0], bytes, sizeof bytes);
    shutdown(pair[0], SHUT_WR);
    ssize_t size = recv(pair[0], answer, sizeof answer - 1, 0);
    answer[size > 0 ? size : 0] = '\0';
    printf("  sendall() of another: %s, all of it came: %s\n", error_name(-error),
           yes_or_no(atol(answer) == sent + MEBIBYTE));
    waitpid(child, NULL, 0);
    close(pair[0]);
}

static void datagrams(void)
{
    static const char large[70000];
    struct sockaddr_in to, from;
    socklen_t size = sizeof from;
    char bytes[16];
    puts("datagrams");
    int receiver = bound_socket(SOCK_DGRAM), sender = bound_socket(SOCK_DGRAM);
    to = loopback(port_of(receiver));
    struct sockaddr *name = (struct sockaddr *)&to;
    ssize_t sent = sendto(sender, "hello", 5, 0, name, sizeof to);
    ssize_t came = recvfrom(receiver, bytes, sizeof bytes, 0, (struct sockaddr *)&from,
                            &size);
    printf("  sendto() %zd bytes, recvfrom() %zd, from the sender: %s\n", sent, came,
           yes_or_no(ntohs(from.sin_port) == port_of(sender)));
    sendto(sender, "hello", 5, 0, name, sizeof to);
    sendto(sender, "", 0, 0, name, sizeof to);
    came = recv(receiver, bytes, 3, 0);
    printf("  recv(3) of 5: %zd, and the rest is lost: ", came);
    came = recv(receiver, bytes, sizeof bytes, 0);
    printf("the next has %zd, an empty one, not an end\n", came);
    sent = sendto(sender, large, sizeof large, 0, name, sizeof to);
    printf("  70000 bytes: %s\n", error_name(sent < 0 ? errno : 0));
    close(sender);
    close(receiver);
}

int main(int argc, char **argv)
{
    static const command_option no_options[] = {{.name = NULL}};
    read_command_line(argc, argv, "Try sockets call by call.", no_options);
    families_and_types();
    what_a_type_means();
    names();
    backlog();
    connecting();
    send_and_sendall();
    datagrams();
    flush_stdout();
    return EXIT_SUCCESS;
}
