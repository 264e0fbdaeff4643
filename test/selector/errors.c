/* SPDX-License-Identifier: MIT */
/*
 * What a socket's error does to its key: it is reported while it lasts, and leaves no
 * trace once it is over.
 */
#include "support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

static struct sockaddr_in bind_to_loopback(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return address;
}

static int take_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    return error;
}

/*
 * libuv calls an error UV_EBADF and stops the handle for good (libuv #3796).
 * The peer refuses by an ICMP error while it is connected to itself.
 */
START_TEST(an_error_that_was_taken_is_over_and_its_key_lives_on)
{
    sel_selector *sel = open_selector(_i);
    int peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in there = bind_to_loopback(peer);
    struct sockaddr_in here = bind_to_loopback(fd);

    ck_assert_int_eq(connect(peer, (struct sockaddr *)&there, sizeof there), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        put_byte(fd);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(wait_for(sel, fd), READ);
        ck_assert_int_eq(take_error(fd), ECONNREFUSED);
        assert_quiet(sel, 0.01);
    }
    ck_assert_int_eq(connect(peer, (struct sockaddr *)&here, sizeof here), 0);
    put_byte(peer);
    ck_assert_int_eq(wait_for(sel, fd), READ);
    take_byte(fd);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    close(peer);
    close(fd);
}
END_TEST

/* The next connect() returns the result of the last attempt, whatever SO_ERROR said. */
static void try_again(int fd, const struct sockaddr_in *address)
{
    for (int attempt = 0; attempt < 3; attempt++)
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
            errno == EINPROGRESS || errno == EISCONN)
            return;
    ck_abort_msg("connect: %s", strerror(errno));
}

/* The same descriptor and the same key: Linux lets a refused socket try again. */
START_TEST(a_refused_socket_that_tries_again_is_reported_connected)
{
    sel_selector *sel = open_selector(_i);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = bind_to_loopback(listener);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    assert_ok(sel_register(sel, fd, READ | WRITE, NULL, NULL));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wait_for(sel, fd), READ | WRITE);
    ck_assert_int_eq(listen(listener, 1), 0);
    try_again(fd, &address);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wait_for(sel, fd), WRITE);
    ck_assert_int_eq(take_error(fd), 0);
    assert_ok(sel_close(sel));
    close(listener);
    close(fd);
}
END_TEST

/*
 * If the key was paused before the error was seen again, the stopped handle was swept
 * out of the kernel's set, and the descriptor seemed to have been closed.
 */
START_TEST(a_key_paused_after_its_error_tells_it_when_resumed)
{
    const struct linger at_once = {.l_onoff = 1};
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_tcp_pair(ends);
    setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(wait_for(sel, ends[0]), READ);
        assert_ok(sel_modify(sel, ends[0], 0, NULL, NULL));
        assert_quiet(sel, 0.01);
        assert_ok(sel_modify(sel, ends[0], READ | WRITE, NULL, NULL));
        ck_assert_int_eq(wait_for(sel, ends[0]), READ | WRITE);
        assert_ok(sel_modify(sel, ends[0], READ, NULL, NULL));
    }
    assert_ok(sel_close(sel));
    close(ends[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *tcase = new_tcase("errors");

    add_backend_test(tcase, an_error_that_was_taken_is_over_and_its_key_lives_on);
    add_backend_test(tcase, a_refused_socket_that_tries_again_is_reported_connected);
    add_backend_test(tcase, a_key_paused_after_its_error_tells_it_when_resumed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
