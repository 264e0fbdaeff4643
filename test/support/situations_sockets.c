/* SPDX-License-Identifier: MIT */
/*
 * The situations of sockets: Unix streams, datagrams and sequenced packets, TCP and UDP
 * on loopback.
 *
 * As in situations_files.c, a change is final for its descriptor.
 */
#include "support/situations.h"
#include "support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ = SEL_EVENT_READ,
    WRITE = SEL_EVENT_WRITE,
    EXCEPT = SEL_EVENT_EXCEPT,
    DELAYED_MS = 40 /* an acknowledgement, at most */
};

static void make_unix_pair(descriptors *ends, int type)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    ends->watched = pair[0];
    ends->peer = pair[1];
}

static void make_stream(descriptors *ends)
{
    make_unix_pair(ends, SOCK_STREAM);
}

static void make_full_stream(descriptors *ends)
{
    make_stream(ends);
    fill(ends->watched);
}

static void make_datagram(descriptors *ends)
{
    make_unix_pair(ends, SOCK_DGRAM);
}

static void make_full_datagram(descriptors *ends)
{
    make_datagram(ends);
    set_nonblocking(ends->watched, true);
    while (write(ends->watched, "x", 1) == 1)
        continue;
    ck_assert_int_eq(errno, EAGAIN);
}

static void make_packets(descriptors *ends)
{
    make_unix_pair(ends, SOCK_SEQPACKET);
}

static void peer_shuts_down_writing(descriptors *ends)
{
    ck_assert_int_eq(shutdown(ends->peer, SHUT_WR), 0);
}

static void it_shuts_down(descriptors *ends)
{
    ck_assert_int_eq(shutdown(ends->watched, SHUT_RDWR), 0);
}

static void it_shuts_down_reading(descriptors *ends)
{
    ck_assert_int_eq(shutdown(ends->watched, SHUT_RD), 0);
}

static void it_shuts_down_writing(descriptors *ends)
{
    ck_assert_int_eq(shutdown(ends->watched, SHUT_WR), 0);
}

static int make_inet_socket(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Bind to a port that the kernel picks and say which. */
static struct sockaddr_in bind_to_loopback(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return address;
}

static int connect_to(int fd, const struct sockaddr_in *address)
{
    return connect(fd, (const struct sockaddr *)address, sizeof *address);
}

static void make_tcp(descriptors *ends)
{
    int pair[2];

    make_tcp_pair(pair);
    ends->watched = pair[0];
    ends->peer = pair[1];
}

static void make_tcp_with_unread(descriptors *ends)
{
    make_tcp(ends);
    put_byte(ends->peer);
}

/*
 * Bytes that were sent but not acknowledged yet will make room. If the kernel can't be
 * asked about them (qemu 7.2 does not emulate SIOCOUTQNSD), wait for them.
 */
static bool is_in_flight(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    int queued = 0, unsent = 0;

    ck_assert_int_eq(ioctl(fd, SIOCOUTQ, &queued), 0);
    if (ioctl(fd, SIOCOUTQNSD, &unsent) == 0)
        return queued > unsent;
    poll(&room, 1, 2 * DELAYED_MS);
    return false;
}

/* Otherwise the last acknowledgement takes DELAYED_MS. */
static void acknowledge_now(int fd)
{
    int on = 1;

    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on), 0);
}

static void make_full_tcp(descriptors *ends)
{
    make_tcp(ends);
    do {
        fill(ends->watched);
        while (is_in_flight(ends->watched))
            acknowledge_now(ends->peer);
    } while (poll_rule(ends->watched, WRITE) != 0);
}

static void make_tcp_that_takes_urgent_bytes_inline(descriptors *ends)
{
    int on = 1;

    make_tcp(ends);
    ck_assert_int_eq(
        setsockopt(ends->watched, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), 0);
}

static void make_half_closed_tcp(descriptors *ends)
{
    make_tcp(ends);
    ck_assert_int_eq(shutdown(ends->watched, SHUT_WR), 0);
}

static void peer_resets(descriptors *ends)
{
    const struct linger at_once = {.l_onoff = 1};

    ck_assert_int_eq(
        setsockopt(ends->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    peer_closes(ends);
}

static void peer_sends_an_urgent_byte(descriptors *ends)
{
    ck_assert_int_eq(send(ends->peer, "!", 1, MSG_OOB), 1);
}

static void peer_sends_data_and_an_urgent_byte(descriptors *ends)
{
    ck_assert_int_eq(send(ends->peer, "ab!", 3, MSG_OOB), 3);
}

static void make_listener(descriptors *ends)
{
    ends->watched = make_inet_socket(SOCK_STREAM);
    bind_to_loopback(ends->watched);
    ck_assert_int_eq(listen(ends->watched, 1), 0);
}

static void a_client_connects(descriptors *ends)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    ends->peer = make_inet_socket(SOCK_STREAM);
    ck_assert_int_eq(getsockname(ends->watched, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(connect_to(ends->peer, &address), 0);
}

static void make_listener_with_client(descriptors *ends)
{
    make_listener(ends);
    a_client_connects(ends);
}

static void make_fresh_tcp(descriptors *ends)
{
    ends->watched = make_inet_socket(SOCK_STREAM);
}

/* A port that is bound but not listened on refuses, and goes on refusing. */
static void it_is_refused(descriptors *ends)
{
    struct sockaddr_in address;

    ends->other = make_inet_socket(SOCK_STREAM);
    address = bind_to_loopback(ends->other);
    set_nonblocking(ends->watched, true);
    ck_assert_int_eq(connect_to(ends->watched, &address), -1);
}

/* Once the backlog of one is full, Linux does not answer the next client's SYN. */
static void make_connecting_tcp(descriptors *ends)
{
    int listener = make_inet_socket(SOCK_STREAM);
    struct sockaddr_in address = bind_to_loopback(listener);

    ck_assert_int_eq(listen(listener, 0), 0);
    ends->other = listener;
    ends->peer = make_inet_socket(SOCK_STREAM);
    ck_assert_int_eq(connect_to(ends->peer, &address), 0);
    ends->watched = make_inet_socket(SOCK_STREAM);
    set_nonblocking(ends->watched, true);
    ck_assert_int_eq(connect_to(ends->watched, &address), -1);
    ck_assert_int_eq(errno, EINPROGRESS);
}

static void make_udp(descriptors *ends)
{
    struct sockaddr_in address;

    ends->watched = make_inet_socket(SOCK_DGRAM);
    ends->peer = make_inet_socket(SOCK_DGRAM);
    address = bind_to_loopback(ends->watched);
    ck_assert_int_eq(connect_to(ends->peer, &address), 0);
}

/* The port is held by a socket that is connected to itself, so nobody else can take it. */
static void make_udp_to_nobody(descriptors *ends)
{
    struct sockaddr_in address;

    ends->other = make_inet_socket(SOCK_DGRAM);
    address = bind_to_loopback(ends->other);
    ck_assert_int_eq(connect_to(ends->other, &address), 0);
    ends->watched = make_inet_socket(SOCK_DGRAM);
    ck_assert_int_eq(connect_to(ends->watched, &address), 0);
}

static void it_writes(descriptors *ends)
{
    put_byte(ends->watched);
}

const situation socket_situations[] = {
    {"Unix stream: a byte", make_stream, peer_writes, WRITE, READ | WRITE},
    {"Unix stream: peer closed", make_stream, peer_closes, WRITE, EVERY_EVENT},
    {"Unix stream: half-close", make_stream, peer_shuts_down_writing, WRITE,
     READ | WRITE},
    {"Unix stream: shut down by itself", make_stream, it_shuts_down, WRITE, EVERY_EVENT},
    {"Unix stream: reading shut down", make_stream, it_shuts_down_reading, WRITE,
     READ | WRITE},
    {"Unix stream: writing shut down", make_stream, it_shuts_down_writing, WRITE, WRITE},
    {"Unix stream: full", make_full_stream, nothing_happens, 0, 0},
    {"Unix stream: room", make_full_stream, peer_reads_all, 0, WRITE},
    {"Unix stream, full: peer closed", make_full_stream, peer_closes, 0, EVERY_EVENT},
    {"Unix datagram: one", make_datagram, peer_writes, WRITE, READ | WRITE},
    {"Unix datagram: the peer's queue is full", make_full_datagram, nothing_happens, 0,
     0},
    {"Unix datagram: the peer read its queue", make_full_datagram, peer_reads_all, 0,
     WRITE},
    {"Unix datagram: shut down by itself", make_datagram, it_shuts_down, WRITE,
     EVERY_EVENT},
    {"Unix datagram: reading shut down", make_datagram, it_shuts_down_reading, WRITE,
     READ | WRITE},
    {"Unix datagram: writing shut down", make_datagram, it_shuts_down_writing, WRITE,
     WRITE},
    {"Unix packets: one", make_packets, peer_writes, WRITE, READ | WRITE},
    {"Unix packets: peer closed", make_packets, peer_closes, WRITE, EVERY_EVENT},
    {"Unix packets: shut down by itself", make_packets, it_shuts_down, WRITE,
     EVERY_EVENT},
    {"Unix packets: reading shut down", make_packets, it_shuts_down_reading, WRITE,
     READ | WRITE},
    {"Unix packets: writing shut down", make_packets, it_shuts_down_writing, WRITE,
     WRITE},
    {"TCP: idle", make_tcp, nothing_happens, WRITE, WRITE},
    {"TCP: a byte", make_tcp, peer_writes, WRITE, READ | WRITE},
    {"TCP: peer closed", make_tcp, peer_closes, WRITE, READ | WRITE},
    {"TCP: half-close", make_tcp, peer_shuts_down_writing, WRITE, READ | WRITE},
    {"TCP: shut down by itself", make_tcp, it_shuts_down, WRITE, EVERY_EVENT},
    {"TCP: reading shut down", make_tcp, it_shuts_down_reading, WRITE, READ | WRITE},
    {"TCP: writing shut down", make_tcp, it_shuts_down_writing, WRITE, WRITE},
    {"TCP: closed by both", make_half_closed_tcp, peer_closes, WRITE, EVERY_EVENT},
    {"TCP: reset", make_tcp, peer_resets, WRITE, EVERY_EVENT},
    {"TCP with unread bytes: reset", make_tcp_with_unread, peer_resets, READ | WRITE,
     EVERY_EVENT},
    {"TCP: room", make_full_tcp, peer_reads_all, 0, WRITE},
    {"TCP, full: reset", make_full_tcp, peer_resets, 0, EVERY_EVENT},
    {"TCP: an out-of-band byte alone", make_tcp, peer_sends_an_urgent_byte, WRITE,
     WRITE | EXCEPT},
    {"TCP: an out-of-band byte after data", make_tcp, peer_sends_data_and_an_urgent_byte,
     WRITE, EVERY_EVENT},
    {"TCP: an out-of-band byte inline", make_tcp_that_takes_urgent_bytes_inline,
     peer_sends_an_urgent_byte, WRITE, EVERY_EVENT},
    {"TCP, full: an out-of-band byte alone", make_full_tcp, peer_sends_an_urgent_byte, 0,
     EXCEPT},
    {"TCP listener: no client", make_listener, nothing_happens, 0, 0},
    {"TCP listener: a client", make_listener, a_client_connects, 0, READ},
    {"TCP listener: shut down", make_listener, it_shuts_down, 0, EVERY_EVENT},
    {"TCP listener: reading shut down", make_listener, it_shuts_down_reading, 0,
     EVERY_EVENT},
    {"TCP listener: writing shut down", make_listener, it_shuts_down_writing, 0, 0},
    {"TCP listener: a client, then shut down", make_listener_with_client, it_shuts_down,
     READ, EVERY_EVENT},
    {"TCP: fresh and unconnected", make_fresh_tcp, nothing_happens, EVERY_EVENT,
     EVERY_EVENT},
    {"TCP: refused", make_fresh_tcp, it_is_refused, EVERY_EVENT, EVERY_EVENT},
    {"TCP: connecting", make_connecting_tcp, nothing_happens, 0, 0},
    {"TCP: shut down while connecting", make_connecting_tcp, it_shuts_down, 0,
     EVERY_EVENT},
    {"UDP: shut down by itself", make_udp_to_nobody, it_shuts_down, WRITE, EVERY_EVENT},
    {"UDP: reading shut down", make_udp_to_nobody, it_shuts_down_reading, WRITE,
     READ | WRITE},
    {"UDP: writing shut down", make_udp_to_nobody, it_shuts_down_writing, WRITE, WRITE},
    {"UDP: a datagram", make_udp, peer_writes, WRITE, READ | WRITE},
    {"UDP: an ICMP error", make_udp_to_nobody, it_writes, WRITE, EVERY_EVENT},
    {NULL, NULL, NULL, 0, 0},
};
