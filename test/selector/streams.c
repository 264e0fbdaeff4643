/* SPDX-License-Identifier: MIT */
/*
 * A seeded mix of everything at once: streams of 64 KiB over sockets and pipes, read
 * and written in random pieces, paused, resumed, shut down and closed in callbacks of
 * one selector. Every byte arrives, in order, and so does every end.
 *
 * An end closes its descriptor only when it has sent and seen everything, so that no
 * reset destroys what is still under way.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAMS = 4, ENDS = 2 * STREAMS, LENGTH = 65536, LARGEST_PIECE = 9000 };

typedef enum { UNIX, TCP, PIPE, KINDS } kind;

typedef struct {
    uint64_t *random;
    int fd;                /* -1: closed */
    kind made_of;
    uint64_t sends, gets;  /* what the next bytes are made from */
    int to_send, to_get;
    bool said_end, saw_end;
    bool paused;
} stream_end;

static int choose(uint64_t *random, int below)
{
    return (int)(next_random(random) % (uint64_t)below);
}

static int wanted_events(const stream_end *end)
{
    if (end->paused)
        return 0;
    return (end->saw_end ? 0 : SEL_EVENT_READ) | (end->said_end ? 0 : SEL_EVENT_WRITE);
}

/* The last thing to send: shut down, or close if the peer sends nothing. */
static void say_end(stream_end *end)
{
    end->said_end = true;
    if (!end->saw_end)
        ck_assert_int_eq(shutdown(end->fd, SHUT_WR), 0);
}

static uint64_t make_bytes(uint64_t state, unsigned char *bytes, ssize_t length)
{
    for (ssize_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)next_random(&state);
    return state;
}

static void send_piece(stream_end *end)
{
    unsigned char piece[LARGEST_PIECE];
    int length = choose(end->random, LARGEST_PIECE) + 1;
    ssize_t sent;

    length = length < end->to_send ? length : end->to_send;
    make_bytes(end->sends, piece, length);
    sent = length == 0 ? 0 : write(end->fd, piece, (size_t)length);
    if (sent < 0)
        ck_assert_int_eq(errno, EAGAIN);
    end->sends = make_bytes(end->sends, piece, sent);
    end->to_send -= sent > 0 ? (int)sent : 0;
    if (end->to_send == 0)
        say_end(end);
}

static void get_piece(stream_end *end)
{
    unsigned char piece[LARGEST_PIECE], wanted[LARGEST_PIECE];
    size_t length = (size_t)choose(end->random, LARGEST_PIECE) + 1;
    ssize_t got = read(end->fd, piece, length);

    ck_assert_msg(got >= 0 || errno == EAGAIN, "read: errno %d", errno);
    end->gets = make_bytes(end->gets, wanted, got);
    if (got > 0)
        ck_assert_mem_eq(piece, wanted, (size_t)got);
    end->to_get -= got > 0 ? (int)got : 0;
    if (got == 0) {
        ck_assert_int_eq(end->to_get, 0);
        end->saw_end = true;
    }
}

static void finish(sel_selector *sel, stream_end *end)
{
    bool unregister_first = choose(end->random, 4) != 0;

    if (unregister_first)
        assert_ok(sel_unregister(sel, end->fd));
    close(end->fd);
    if (!unregister_first)
        assert_ok(sel_unregister(sel, end->fd));
    end->fd = -1;
}

static void advance(sel_selector *sel, const sel_key *key, int mask)
{
    stream_end *end = key->data;

    ck_assert_int_eq(key->fd, end->fd);
    ck_assert_int_eq(mask & ~wanted_events(end), 0);
    if (choose(end->random, 8) == 0)
        return; /* what is ready stays so and is reported again */
    if (mask & SEL_EVENT_READ)
        get_piece(end);
    if (mask & SEL_EVENT_WRITE)
        send_piece(end);
    if (end->said_end && end->saw_end)
        finish(sel, end);
    else
        assert_ok(sel_modify(sel, end->fd, wanted_events(end), advance, end));
}

/* Not for TCP, whose delayed acknowledgements would make it a test of patience. */
static void make_small_buffer(int fd, kind made_of)
{
    int bytes = 4096;

    if (made_of == PIPE)
        ck_assert_int_ge(fcntl(fd, F_SETPIPE_SZ, bytes), 0);
    else if (made_of == UNIX)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

/* ends[0] gets what ends[1] sends and, except with a pipe, the other way round. */
static void make_stream(sel_selector *sel, stream_end ends[2], uint64_t *random)
{
    kind made_of = (kind)choose(random, KINDS);
    bool one_way = made_of == PIPE || choose(random, 3) == 0;
    bool small = choose(random, 2) == 0;
    int fds[2], lengths[2] = {one_way ? 0 : choose(random, LENGTH + 1),
                              choose(random, 4) == 0 ? 0 : LENGTH};
    uint64_t seeds[2] = {next_random(random), next_random(random)};

    (made_of == UNIX ? make_socketpair : made_of == TCP ? make_tcp_pair : make_pipe)(fds);
    for (int i = 0; i < 2; i++) {
        ends[i] = (stream_end){
            .random = random, .fd = fds[i], .made_of = made_of,
            .sends = seeds[i], .gets = seeds[1 - i],
            .to_send = lengths[i], .to_get = lengths[1 - i],
            .said_end = one_way && i == 0, .saw_end = one_way && i == 1,
        };
        if (small)
            make_small_buffer(fds[i], made_of);
        set_nonblocking(fds[i], true);
        assert_ok(sel_register(sel, fds[i], wanted_events(&ends[i]), advance, &ends[i]));
    }
}

/* One in `chance` ends is paused, the others go on; returns whether any is. */
static bool pause_some(sel_selector *sel, stream_end ends[ENDS], int chance)
{
    bool any = false;

    for (int i = 0; i < ENDS; i++) {
        if (ends[i].fd < 0)
            continue;
        ends[i].paused = chance > 0 && choose(ends[i].random, chance) == 0;
        any |= ends[i].paused;
        assert_ok(sel_modify(sel, ends[i].fd, wanted_events(&ends[i]), advance,
                             &ends[i]));
    }
    return any;
}

static void run_mix(sel_selector *sel, uint64_t seed)
{
    stream_end ends[ENDS];
    uint64_t random = seed;

    for (int i = 0; i < ENDS; i += 2)
        make_stream(sel, &ends[i], &random);
    while (sel_get_map(sel, NULL, 0) > 0) {
        bool paused = pause_some(sel, ends, 8);
        int ready = sel_select(sel, paused ? 0 : 10, NULL);

        if (ready == 0 && paused) {
            pause_some(sel, ends, 0);
            ready = sel_select(sel, 10, NULL);
        }
        ck_assert_msg(ready > 0, "seed %llu: nothing moves", (unsigned long long)seed);
        ck_assert_int_eq(sel_dispatch(sel), ready);
    }
    for (int i = 0; i < ENDS; i++) {
        ck_assert_int_eq(ends[i].fd, -1);
        ck_assert_int_eq(ends[i].to_send, 0);
        ck_assert_int_eq(ends[i].to_get, 0);
    }
}

START_TEST(every_byte_and_every_end_of_a_random_mix_arrives)
{
    sel_selector *sel = open_selector(_i);
    uint64_t seed = choose_seed();
    int rounds = choose_rounds(100);

    for (int round = 0; round < rounds; round++)
        run_mix(sel, seed + (uint64_t)round);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("streams");
    TCase *tcase = new_tcase("a random mix");

    add_backend_test(tcase, every_byte_and_every_end_of_a_random_mix_arrives);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
