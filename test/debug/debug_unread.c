/* SPDX-License-Identifier: MIT */
/*
 * SELKIE_DEBUG on descriptors that are ready again and again while nobody reads
 * them, and on busy ones that somebody does read.
 */
#include "support/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, PASSES = 1000 };

static int own_stderr, said;

static void listen_to_stderr(void)
{
    setenv("SELKIE_DEBUG", "1", 1);
    setenv("SELKIE_SLOW_MS", "1e9", 1);
    own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    said = memfd_create("stderr", MFD_CLOEXEC);
    ck_assert(own_stderr >= 0 && said >= 0);
    ck_assert_int_eq(dup2(said, STDERR_FILENO), STDERR_FILENO);
}

static void leave_stderr(void)
{
    dup2(own_stderr, STDERR_FILENO);
    close(own_stderr);
    close(said);
    unsetenv("SELKIE_DEBUG");
    unsetenv("SELKIE_SLOW_MS");
}

/* How many lines name this descriptor; every line has to. */
static int count_lines(int fd)
{
    char text[8192], number[32];
    ssize_t length = pread(said, text, sizeof text - 1, 0);
    int lines = 0;

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    snprintf(number, sizeof number, "descriptor %d ", fd);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        ck_assert_msg(strstr(line, number) != NULL, "no '%s' in: %s", number, line);
        lines++;
    }
    return lines;
}

static void make_passes(sel_selector *sel)
{
    for (int i = 0; i < PASSES; i++)
        pass(sel);
}

static void forget_lines(void)
{
    ck_assert_int_eq(ftruncate(said, 0), 0);
    ck_assert_int_eq(lseek(said, 0, SEEK_SET), 0);
}

static void assert_one_line(int backend, const int ends[2], sel_callback *callback)
{
    sel_selector *sel = open_selector(backend);

    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, callback, ""));
    make_passes(sel);
    ck_assert_int_eq(count_lines(ends[0]), 1);
    assert_ok(sel_close(sel));
    forget_lines();
}

START_TEST(a_descriptor_that_nobody_reads_is_named_once)
{
    static void (*const makers[])(int ends[2]) = {make_pipe, make_socketpair,
                                                  make_tcp_pair};

    for (int i = 0; i < 3; i++) {
        int ends[2];

        makers[i](ends);
        assert_one_line(_i, ends, NULL);
        assert_one_line(_i, ends, note_ready);
        close_pair(ends);
    }
}
END_TEST

static int passes_until_named(sel_selector *sel, int fd)
{
    int passes = 0;

    while (passes < PASSES && count_lines(fd) == 0) {
        pass(sel);
        passes++;
    }
    forget_lines();
    return passes;
}

START_TEST(whoever_reads_a_part_has_as_many_passes_again)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], passes;

    make_pipe(ends);
    put_byte(ends[1]);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    passes = passes_until_named(sel, ends[0]);
    ck_assert_int_lt(passes, PASSES);
    take_byte(ends[0]);
    ck_assert_int_eq(passes_until_named(sel, ends[0]), passes);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* --- no false alarm --- */

static void read_one(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    take_byte(key->fd);
}

/* Before the next wait there is as much again, or more. */
START_TEST(a_descriptor_that_is_read_and_refilled_is_not_named)
{
    for (int refill = 1; refill <= 3; refill++) {
        sel_selector *sel = open_selector(_i);
        int ends[2];

        make_socketpair(ends);
        put_byte(ends[1]);
        assert_ok(sel_register(sel, ends[0], READ, read_one, NULL));
        for (int i = 0; i < 120; i++) {
            ck_assert_int_eq(pass(sel), 1);
            for (int j = 0; j < refill; j++)
                put_byte(ends[1]);
        }
        ck_assert_int_eq(count_lines(ends[0]), 0);
        assert_ok(sel_close(sel));
        close_pair(ends);
    }
}
END_TEST

static void answer(sel_selector *sel, const sel_key *key, int mask)
{
    read_one(sel, key, mask);
    put_byte(key->fd);
}

/* Both sides in one process: each pass finds a byte on each, never the same. */
START_TEST(two_that_answer_each_other_are_not_named)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    for (int i = 0; i < 2; i++) {
        put_byte(ends[i]);
        assert_ok(sel_register(sel, ends[i], READ, answer, NULL));
    }
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(pass(sel), 2);
    ck_assert_int_eq(count_lines(-1), 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void read_some(sel_selector *sel, const sel_key *key, int mask)
{
    char bytes[512];

    (void)sel;
    (void)mask;
    ck_assert_int_gt(read(key->fd, bytes, sizeof bytes), 0);
}

static void *write_without_end(void *data)
{
    static const char bytes[4096];
    const int *fd = data;

    while (write(*fd, bytes, sizeof bytes) > 0)
        continue;
    return NULL;
}

/* The pipe is full whenever it is looked at. */
START_TEST(a_descriptor_that_is_read_more_slowly_than_filled_is_not_named)
{
    sel_selector *sel = open_selector(_i);
    pthread_t thread;
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    make_pipe(ends);
    fill(ends[1]);
    start_thread(&thread, write_without_end, &ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, read_some, NULL));
    for (int i = 0; i < 3; i++)
        make_passes(sel);
    ck_assert_int_eq(count_lines(ends[0]), 0);
    assert_ok(sel_close(sel));
    close(ends[0]); /* the writer gets EPIPE */
    join_thread(thread);
    close(ends[1]);
}
END_TEST

static void read_event(sel_selector *sel, const sel_key *key, int mask)
{
    uint64_t value;

    (void)sel;
    (void)mask;
    ck_assert_int_eq(read(key->fd, &value, sizeof value), sizeof value);
    value = 1;
    ck_assert_int_eq(write(key->fd, &value, sizeof value), sizeof value);
}

static void accept_one(sel_selector *sel, const sel_key *key, int mask)
{
    int fd = accept(key->fd, NULL, NULL);

    (void)sel;
    (void)mask;
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static int make_listener(void)
{
    const struct sockaddr any = {.sa_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, &any, sizeof any.sa_family), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

static void connect_to(int listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
    close(fd);
}

START_TEST(what_has_no_bytes_to_count_is_not_named_while_it_is_served)
{
    sel_selector *sel = open_selector(_i);
    int event = make_eventfd(1), listener = make_listener();

    assert_ok(sel_register(sel, event, READ, read_event, NULL));
    assert_ok(sel_register(sel, listener, READ, accept_one, NULL));
    for (int i = 0; i < 300; i++) {
        connect_to(listener);
        ck_assert_int_eq(pass(sel), 2);
    }
    ck_assert_int_eq(count_lines(-1), 0);
    assert_ok(sel_close(sel));
    close(event);
    close(listener);
}
END_TEST

/* Writable all the time, and readable but watched for writing alone. */
START_TEST(a_descriptor_that_is_ready_to_be_written_is_not_named)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], WRITE, record_call, &record));
    make_passes(sel);
    ck_assert_int_eq(record.calls, PASSES);
    ck_assert_int_eq(count_lines(ends[0]), 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static void pause_key(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    assert_ok(sel_modify(sel, key->fd, 0, key->callback, key->data));
}

/* The program lets what it cannot take yet wait, as it should. */
START_TEST(a_descriptor_that_is_paused_is_not_named)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_pipe(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, pause_key, NULL));
    make_passes(sel);
    ck_assert_int_eq(count_lines(ends[0]), 0);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* The number comes back, for a file that is read. */
START_TEST(a_number_that_is_used_again_starts_anew)
{
    sel_selector *sel = open_selector(_i);
    int number = -1;

    for (int i = 0; i < 60; i++) {
        int ends[2];

        make_pipe(ends);
        ck_assert(number < 0 || ends[0] == number);
        number = ends[0];
        put_byte(ends[1]);
        assert_ok(sel_register(sel, ends[0], READ, note_ready, ""));
        for (int j = 0; j < 5; j++)
            ck_assert_int_eq(pass(sel), 1);
        assert_ok(sel_unregister(sel, ends[0]));
        close_pair(ends);
    }
    ck_assert_int_eq(count_lines(number), 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(without_debug_mode_nothing_is_said)
{
    static const char *const off[] = {"", "0", NULL};

    for (int i = 0; i < 3; i++) {
        sel_selector *sel;
        int ends[2];

        if (off[i] != NULL)
            setenv("SELKIE_DEBUG", off[i], 1);
        else
            unsetenv("SELKIE_DEBUG");
        setenv("SELKIE_SLOW_MS", "0", 1);
        sel = open_selector(_i);
        make_pipe(ends);
        put_byte(ends[1]);
        assert_ok(sel_register(sel, ends[0], READ, note_ready, ""));
        make_passes(sel);
        close(ends[0]);
        pass(sel);
        assert_ok(sel_close(sel));
        close(ends[1]);
        ck_assert_int_eq(count_lines(-1), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debug_unread");
    TCase *tcase = new_tcase("unread descriptors");

    tcase_add_checked_fixture(tcase, listen_to_stderr, leave_stderr);
    add_backend_test(tcase, a_descriptor_that_nobody_reads_is_named_once);
    add_backend_test(tcase, whoever_reads_a_part_has_as_many_passes_again);
    add_backend_test(tcase, a_descriptor_that_is_read_and_refilled_is_not_named);
    add_backend_test(tcase, two_that_answer_each_other_are_not_named);
    add_backend_test(tcase,
                     a_descriptor_that_is_read_more_slowly_than_filled_is_not_named);
    add_backend_test(tcase, what_has_no_bytes_to_count_is_not_named_while_it_is_served);
    add_backend_test(tcase, a_descriptor_that_is_ready_to_be_written_is_not_named);
    add_backend_test(tcase, a_descriptor_that_is_paused_is_not_named);
    add_backend_test(tcase, a_number_that_is_used_again_starts_anew);
    add_backend_test(tcase, without_debug_mode_nothing_is_said);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
