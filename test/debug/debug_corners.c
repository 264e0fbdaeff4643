/* SPDX-License-Identifier: MIT */
/*
 * Corners of the debug mode and of the statistics that no other suite comes to,
 * found by looking at the branches of the library that no test had taken.
 */
#include "support/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

static int own_stderr, said;

static void listen_to_stderr(void)
{
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
}

static const char *listen_once(void)
{
    static char text[8192];
    ssize_t length = pread(said, text, sizeof text - 1, 0);

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    return text;
}

static sel_selector *open_debugged(int backend)
{
    sel_selector *sel;

    setenv("SELKIE_DEBUG", "1", 1);
    sel = open_selector(backend);
    unsetenv("SELKIE_DEBUG");
    return sel;
}

static void work_101_ms(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
    work_for(101000000);
}

START_TEST(without_a_limit_a_tenth_of_a_second_is_slow)
{
    sel_selector *sel = open_debugged(_i);

    assert_ok(sel_call_soon(sel, note, ""));
    pass(sel);
    ck_assert_str_eq(listen_once(), "");
    assert_ok(sel_call_soon(sel, work_101_ms, NULL));
    pass(sel);
    ck_assert_ptr_nonnull(strstr(listen_once(), " ms"));
    assert_ok(sel_close(sel));
}
END_TEST

/* Signals that a write may raise are kept away while it is made. */
START_TEST(a_line_leaves_the_mask_of_signals_as_it_was)
{
    sel_selector *sel = open_debugged(_i);
    sigset_t mask;

    for (int blocked = 0; blocked < 2; blocked++) {
        sigemptyset(&mask);
        sigaddset(&mask, SIGPIPE);
        sigaddset(&mask, SIGXFSZ);
        ck_assert_int_eq(sigprocmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &mask, NULL), 0);
        assert_ok(sel_call_soon(sel, work_101_ms, NULL));
        pass(sel);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
        ck_assert_int_eq(sigismember(&mask, SIGPIPE), blocked);
        ck_assert_int_eq(sigismember(&mask, SIGXFSZ), blocked);
    }
    ck_assert_ptr_nonnull(strstr(listen_once(), " ms"));
    assert_ok(sel_close(sel));
}
END_TEST

/* The program takes the pairs itself; what it reads is seen before the next wait. */
START_TEST(who_reads_without_a_callback_is_not_named)
{
    sel_selector *sel = open_debugged(_i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    for (int i = 0; i < 1000; i++) {
        put_byte(ends[1]);
        put_byte(ends[1]);
        ck_assert_int_eq(look(sel, ends[0]), READ);
        take_byte(ends[0]);
        ck_assert_int_eq(look(sel, ends[0]), READ);
        take_byte(ends[0]);
    }
    ck_assert_str_eq(listen_once(), "");
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* Whatever the kernel tells of the number, and no oftener than once. */
START_TEST(a_closed_or_replaced_descriptor_is_named_in_the_next_wait)
{
    sel_selector *sel = open_debugged(_i);
    int ends[2], other[2];
    char wanted[64];

    for (int replaced = 0; replaced < 2; replaced++) {
        make_pipe(ends);
        assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
        ck_assert_int_eq(count_ready(sel), 0);
        ck_assert_str_eq(listen_once(), "");
        make_pipe(other);
        if (replaced)
            move_descriptor(other[0], ends[0]);
        else
            close(ends[0]);
        ck_assert_int_eq(count_ready(sel), 0);
        ck_assert_int_eq(count_ready(sel), 0);
        snprintf(wanted, sizeof wanted, "descriptor %d was closed or replaced", ends[0]);
        ck_assert_ptr_nonnull(strstr(listen_once(), wanted));
        ck_assert_ptr_eq(strchr(listen_once(), '\n'), strrchr(listen_once(), '\n'));
        assert_ok(sel_unregister(sel, ends[0]));
        ck_assert_int_eq(ftruncate(said, 0), 0);
        ck_assert_int_eq(lseek(said, 0, SEEK_SET), 0);
        close(replaced ? ends[0] : other[0]);
        close(ends[1]);
        close(other[1]);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* Asked for statistics only, it does not speak. */
START_TEST(statistics_alone_say_nothing_of_a_closed_descriptor)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);
    sel_stats stats;

    assert_ok(sel_get_stats(sel, &stats, sizeof stats));
    assert_ok(sel_register(sel, fd, READ | WRITE, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 1);
    close(fd);
    assert_ok(sel_modify(sel, fd, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 0);
    ck_assert_str_eq(listen_once(), "");
    assert_ok(sel_close(sel));
}
END_TEST

static bool sigpipe_is_pending(void)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

static void speak(sel_selector *sel)
{
    assert_ok(sel_call_soon(sel, note, ""));
    ck_assert_int_eq(pass(sel), 1);
}

/* SIGPIPE would end the program, and one that is the program's stays. */
START_TEST(nobody_who_listens_is_no_harm)
{
    sel_selector *sel;
    sigset_t broken;
    int ends[2];

    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    setenv("SELKIE_SLOW_MS", "0", 1);
    sel = open_debugged(_i);
    unsetenv("SELKIE_SLOW_MS");
    make_pipe(ends);
    close(ends[0]);
    move_descriptor(ends[1], STDERR_FILENO);
    speak(sel);
    sigprocmask(SIG_BLOCK, &broken, NULL);
    ck_assert(!sigpipe_is_pending());
    speak(sel);
    ck_assert(!sigpipe_is_pending());
    raise(SIGPIPE);
    speak(sel);
    ck_assert(sigpipe_is_pending());
    ck_assert_int_eq(sigtimedwait(&broken, NULL, &(struct timespec){0}), SIGPIPE);
    sigprocmask(SIG_UNBLOCK, &broken, NULL);
    assert_ok(sel_close(sel));
}
END_TEST

#if defined(__x86_64__)
static const unsigned char return_at_once[] = {0xc3};
#elif defined(__aarch64__)
static const unsigned char return_at_once[] = {0xc0, 0x03, 0x5f, 0xd6};
#else
static const unsigned char return_at_once[] = {0};
#endif

/* A function that was compiled while the program runs lies in no file. */
START_TEST(a_function_in_no_file_is_told_by_its_address)
{
    union {
        void *address;
        sel_task *task;
    } made;
    sel_selector *sel;
    char wanted[32];

    if (return_at_once[0] == 0)
        return;
    made.address = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(made.address, MAP_FAILED);
    memcpy(made.address, return_at_once, sizeof return_at_once);
    setenv("SELKIE_SLOW_MS", "0", 1);
    sel = open_debugged(_i);
    unsetenv("SELKIE_SLOW_MS");
    assert_ok(sel_call_soon(sel, made.task, NULL));
    ck_assert_int_eq(pass(sel), 1);
    snprintf(wanted, sizeof wanted, "%p", made.address);
    ck_assert_ptr_nonnull(strstr(listen_once(), wanted));
    assert_ok(sel_close(sel));
    munmap(made.address, 4096);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debug_corners");
    TCase *tcase = new_tcase("debug mode");

    tcase_add_checked_fixture(tcase, listen_to_stderr, leave_stderr);
    add_backend_test(tcase, without_a_limit_a_tenth_of_a_second_is_slow);
    add_backend_test(tcase, a_line_leaves_the_mask_of_signals_as_it_was);
    add_backend_test(tcase, who_reads_without_a_callback_is_not_named);
    add_backend_test(tcase, a_closed_or_replaced_descriptor_is_named_in_the_next_wait);
    add_backend_test(tcase, statistics_alone_say_nothing_of_a_closed_descriptor);
    add_backend_test(tcase, nobody_who_listens_is_no_harm);
    add_backend_test(tcase, a_function_in_no_file_is_told_by_its_address);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
