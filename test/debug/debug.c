/* SPDX-License-Identifier: MIT */
/*
 * SELKIE_DEBUG: each mistake is named in one line on stderr, and nothing else is
 * said.
 *
 * Functions that a line has to name are not static: the dynamic linker knows no
 * others, and those only in a program that is linked with -rdynamic.
 */
#include "support/journal.h"

#include <fcntl.h>
#include <sched.h>
#include <selkie/debug.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

static const int64_t millisecond = 1000000;

/* --- what is said on stderr --- */

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
    unsetenv("SELKIE_DEBUG");
    unsetenv("SELKIE_SLOW_MS");
}

/* All that was said since the last question. */
static const char *listen_once(void)
{
    static char text[8192];
    ssize_t length = pread(said, text, sizeof text - 1, 0);

    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    ck_assert_int_eq(ftruncate(said, 0), 0);
    ck_assert_int_eq(lseek(said, 0, SEEK_SET), 0);
    return text;
}

static void assert_silence(void)
{
    ck_assert_str_eq(listen_once(), "");
}

/* One line, which has all of these words; NULL ends them. */
static void assert_line(const char *const *words)
{
    const char *text = listen_once(), *end = strchr(text, '\n');

    ck_assert_msg(strncmp(text, "selkie: ", 8) == 0, "said: %s", text);
    ck_assert_msg(end != NULL && end[1] == '\0', "not one line: %s", text);
    for (; *words != NULL; words++)
        ck_assert_msg(strstr(text, *words) != NULL, "no '%s' in: %s", *words, text);
}

#define assert_says(...) assert_line((const char *const[]){__VA_ARGS__, NULL})

static const char *number(int fd)
{
    static char text[4][32];
    static int next;
    char *room = text[next++ % 4];

    snprintf(room, sizeof text[0], " %d ", fd);
    return room;
}

static sel_selector *open_debugged(int backend, const char *slow_ms)
{
    setenv("SELKIE_DEBUG", "1", 1);
    setenv("SELKIE_SLOW_MS", slow_ms, 1);
    return open_selector(backend);
}

/* --- slow callbacks --- */

sel_callback be_slow_with_key;
sel_task be_slow_with_task;
sel_done be_slow_with_result;

void be_slow_with_key(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    work_for(12 * millisecond);
    assert_ok(sel_unregister(sel, key->fd));
}

void be_slow_with_task(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
    work_for(12 * millisecond);
}

void be_slow_with_result(sel_selector *sel, void *unused, int status)
{
    (void)status;
    be_slow_with_task(sel, unused);
}

START_TEST(a_slow_callback_is_named_with_its_descriptor_and_time)
{
    sel_selector *sel = open_debugged(_i, "10");
    int fd = make_eventfd(1);
    const char *text, *time;

    assert_ok(sel_register(sel, fd, READ, be_slow_with_key, NULL));
    ck_assert_int_eq(pass(sel), 1);
    text = listen_once();
    ck_assert_ptr_nonnull(strstr(text, "be_slow_with_key"));
    ck_assert_ptr_nonnull(strstr(text, number(fd)));
    time = strstr(text, "took ");
    ck_assert_ptr_nonnull(time);
    ck_assert_double_ge(atof(time + 5), 12);
    ck_assert_ptr_nonnull(strstr(time, " ms\n"));
    assert_ok(sel_close(sel));
    assert_silence();
    close(fd);
}
END_TEST

/* Each alone, by its own name. */
START_TEST(a_slow_reader_or_writer_is_named_with_its_descriptor)
{
    sel_selector *sel = open_debugged(_i, "10");
    int fd = make_eventfd(1), runs = 0;

    assert_ok(sel_add_reader(sel, fd, be_slow_with_task, NULL));
    assert_ok(sel_add_writer(sel, fd, count_task, &runs));
    ck_assert_int_eq(pass(sel), 1);
    assert_says("reader be_slow_with_task of descriptor", number(fd), "took ");
    assert_ok(sel_remove_reader(sel, fd));
    assert_ok(sel_add_writer(sel, fd, be_slow_with_task, NULL));
    ck_assert_int_eq(pass(sel), 1);
    assert_says("writer be_slow_with_task of descriptor", number(fd), "took ");
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(slow_tasks_timers_signal_handlers_and_results_are_named)
{
    sel_selector *sel = open_debugged(_i, "10");

    assert_ok(sel_call_soon(sel, be_slow_with_task, NULL));
    wait_and_pass(sel);
    assert_says("task", "be_slow_with_task", "ms");
    assert_ok(sel_call_later(sel, 0, be_slow_with_task, NULL, NULL));
    wait_and_pass(sel);
    assert_says("timer", "be_slow_with_task", "ms");
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, be_slow_with_task, NULL));
    raise(SIGUSR1);
    wait_and_pass(sel);
    assert_says("signal", "be_slow_with_task", "ms");
    assert_ok(sel_run_in_executor(sel, no_work, be_slow_with_result, NULL));
    wait_and_pass(sel);
    assert_says("done", "be_slow_with_result", "ms");
    assert_ok(sel_close(sel));
    assert_silence();
}
END_TEST

static void be_slow_and_nameless(sel_selector *sel, void *unused)
{
    be_slow_with_task(sel, unused);
}

START_TEST(a_function_without_a_name_is_told_by_its_place_in_the_program)
{
    sel_selector *sel = open_debugged(_i, "10");

    assert_ok(sel_call_soon(sel, be_slow_and_nameless, NULL));
    wait_and_pass(sel);
    assert_says("+0x");
    assert_ok(sel_close(sel));
}
END_TEST

static void work_as_long(sel_selector *sel, void *data)
{
    (void)sel;
    work_for(*(int *)data * millisecond);
}

/* How long that took, if the machine had more to do. */
static int64_t run_for(sel_selector *sel, int milliseconds)
{
    int64_t before = now_ns();

    assert_ok(sel_call_soon(sel, work_as_long, &milliseconds));
    wait_and_pass(sel);
    return now_ns() - before;
}

static void assert_two_milliseconds_are_not_slow(sel_selector *sel)
{
    while (run_for(sel, 2) >= 100 * millisecond)
        listen_once();
    assert_silence();
}

START_TEST(slow_is_what_the_environment_says_or_a_tenth_of_a_second)
{
    static const char *const unusable[] = {"", "slow", "10x", "-1", "nan"};
    sel_selector *sel = open_debugged(_i, "0");

    run_for(sel, 0);
    assert_says("ms");
    assert_ok(sel_close(sel));
    sel = open_debugged(_i, "1e9");
    run_for(sel, 5);
    assert_silence();
    assert_ok(sel_close(sel));
    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++) {
        sel = open_debugged(_i, unusable[i]);
        assert_two_milliseconds_are_not_slow(sel);
        run_for(sel, 101);
        assert_says("ms");
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* --- descriptors closed under their key --- */

/* Dropping an event has the library look at the descriptor before the next wait. */
static void look_five_times(sel_selector *sel, int fd)
{
    assert_ok(sel_modify(sel, fd, READ, note_ready, "never"));
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(pass(sel), 0);
}

START_TEST(a_descriptor_found_closed_or_replaced_is_named_once)
{
    for (int is_replaced = 0; is_replaced < 2; is_replaced++) {
        sel_selector *sel = open_debugged(_i, "1e9");
        int ends[2], other = make_eventfd(1);

        make_socketpair(ends);
        assert_ok(sel_register(sel, ends[0], READ | WRITE, NULL, NULL));
        ck_assert_int_eq(count_ready(sel), 1);
        assert_silence();
        close(ends[0]);
        if (is_replaced)
            move_descriptor(other, ends[0]);
        else
            close(other);
        look_five_times(sel, ends[0]);
        assert_says("descriptor", number(ends[0]), "closed");
        assert_ok(sel_unregister(sel, ends[0]));
        assert_ok(sel_close(sel));
        assert_silence();
        if (is_replaced)
            close(ends[0]);
        close(ends[1]);
    }
}
END_TEST

/* --- two threads --- */

/* What the other thread calls while this one is inside a callback. */
enum {
    REGISTER,
    MODIFY,
    UNREGISTER,
    CALL_SOON,
    CALL_LATER,
    CANCEL,
    GET_MAP,
    GET_TIMEOUT,
    FILENO,
    IS_ALIVE,
    GET_STATS,
    MISTAKES
};

static const char *const mistake_names[MISTAKES] = {
    "sel_register", "sel_modify", "sel_unregister", "sel_call_soon", "sel_call_later",
    "sel_cancel", "sel_get_map", "sel_get_timeout", "sel_fileno", "sel_is_alive",
    "sel_get_stats",
};

typedef struct {
    sel_selector *sel;
    int mistake; /* -1: the two calls that are allowed */
    int fd;
} intruder;

static void *intrude(void *data)
{
    intruder *other = data;
    sel_selector *sel = other->sel;
    sel_timer timer = {.id = 1};
    sel_stats stats;
    sel_key key;

    if (other->mistake == REGISTER)
        sel_register(sel, other->fd, READ, NULL, NULL);
    else if (other->mistake == MODIFY)
        sel_modify(sel, other->fd, READ, NULL, NULL);
    else if (other->mistake == UNREGISTER)
        sel_unregister(sel, other->fd);
    else if (other->mistake == CALL_SOON)
        sel_call_soon(sel, note, "");
    else if (other->mistake == CALL_LATER)
        sel_call_later(sel, 0, note, "", NULL);
    else if (other->mistake == CANCEL)
        sel_cancel(sel, timer);
    else if (other->mistake == GET_MAP)
        sel_get_map(sel, &key, 1);
    else if (other->mistake == GET_TIMEOUT)
        sel_get_timeout(sel);
    else if (other->mistake == FILENO)
        sel_fileno(sel);
    else if (other->mistake == IS_ALIVE)
        sel_is_alive(sel);
    else if (other->mistake == GET_STATS)
        sel_get_stats(sel, &stats, sizeof stats);
    else {
        sel_wakeup(sel);
        sel_call_soon_threadsafe(sel, note, "");
    }
    return NULL;
}

static void let_another_in(sel_selector *sel, void *data)
{
    pthread_t thread;

    (void)sel;
    start_thread(&thread, intrude, data);
    join_thread(thread);
}

START_TEST(two_calls_that_overlap_in_two_threads_are_named)
{
    for (int mistake = 0; mistake < MISTAKES; mistake++) {
        intruder other = {.sel = open_debugged(_i, "1e9"), .mistake = mistake,
                          .fd = make_eventfd(0)};

        if (mistake != REGISTER)
            assert_ok(sel_register(other.sel, other.fd, WRITE, NULL, NULL));
        assert_silence();
        assert_ok(sel_call_soon(other.sel, let_another_in, &other));
        wait_and_pass(other.sel);
        assert_says("thread", number(this_thread()), mistake_names[mistake],
                    "sel_dispatch");
        assert_ok(sel_close(other.sel));
        close(other.fd);
    }
}
END_TEST

/* Until that is named, or ten seconds are over. */
static void *ask_again_and_again(void *sel)
{
    int64_t start = now_ns();
    sel_key key;

    while (lseek(said, 0, SEEK_END) == 0 && now_ns() - start < 10000 * millisecond)
        sel_get_key(sel, -1, &key);
    sel_wakeup(sel);
    return NULL;
}

START_TEST(a_call_beside_a_wait_is_named)
{
    sel_selector *sel = open_debugged(_i, "1e9");
    pthread_t thread;

    start_thread(&thread, ask_again_and_again, sel);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    join_thread(thread);
    assert_says("thread", "sel_get_key", number(this_thread()), "sel_select");
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    sel_selector *sel;
    pid_t sleeper;
} second_waiter;

static void *wait_beside(void *data)
{
    second_waiter *second = data;

    wait_until_asleep(second->sleeper);
    sel_select(second->sel, 0, NULL);
    sel_wakeup(second->sel);
    return NULL;
}

START_TEST(a_wait_beside_a_wait_is_named)
{
    second_waiter second = {open_debugged(_i, "1e9"), this_thread()};
    pthread_t thread;

    start_thread(&thread, wait_beside, &second);
    ck_assert_int_eq(sel_select(second.sel, SEL_FOREVER, NULL), 0);
    join_thread(thread);
    assert_says("calls sel_select", "while thread", number(this_thread()), "sel_select");
    assert_ok(sel_close(second.sel));
}
END_TEST

/* Its child has no other thread, though there was one inside. */
static void *fork_beside(void *data)
{
    second_waiter *second = data;
    pid_t pid;

    wait_until_asleep(second->sleeper);
    pid = fork();
    if (pid == 0) {
        int error = sel_after_fork(second->sel);

        if (error == 0)
            error = sel_register(second->sel, said, READ, NULL, NULL);
        _exit(error == -EPERM && lseek(said, 0, SEEK_END) == 0 ? 0 : 1);
    }
    assert_child_succeeds(pid);
    sel_wakeup(second->sel);
    return NULL;
}

START_TEST(a_child_of_another_thread_than_the_one_inside_hears_nothing_of_it)
{
    second_waiter second = {open_debugged(_i, "1e9"), this_thread()};
    pthread_t thread;

    start_thread(&thread, fork_beside, &second);
    ck_assert_int_eq(sel_select(second.sel, SEL_FOREVER, NULL), 0);
    join_thread(thread);
    assert_silence();
    assert_ok(sel_close(second.sel));
}
END_TEST

static void use_everything(sel_selector *sel, void *data)
{
    intruder own = {.sel = sel, .fd = *(int *)data};

    for (own.mistake = -1; own.mistake < MISTAKES; own.mistake++)
        intrude(&own);
}

START_TEST(what_is_allowed_in_threads_and_callbacks_is_not_named)
{
    intruder other = {.sel = open_debugged(_i, "1e9"), .mistake = -1};
    int fd = make_eventfd(0);

    assert_ok(sel_call_soon(other.sel, let_another_in, &other));
    assert_ok(sel_call_soon(other.sel, use_everything, &fd));
    for (int i = 0; i < 3; i++)
        pass(other.sel);
    assert_ok(sel_close(other.sel));
    assert_silence();
    close(fd);
}
END_TEST

/* Handing a selector from one thread to the next is no overlap. */
static void *use_alone(void *sel)
{
    assert_ok(sel_call_soon(sel, note, ""));
    wait_and_pass(sel);
    return NULL;
}

START_TEST(a_selector_that_threads_use_one_after_another_is_not_named)
{
    sel_selector *sel = open_debugged(_i, "1e9");

    for (int i = 0; i < 5; i++) {
        pthread_t thread;

        start_thread(&thread, use_alone, sel);
        join_thread(thread);
        use_alone(sel);
    }
    assert_ok(sel_close(sel));
    assert_silence();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("debug");
    TCase *tcase = new_tcase("debug mode");

    tcase_add_checked_fixture(tcase, listen_to_stderr, leave_stderr);
    add_backend_test(tcase, a_slow_callback_is_named_with_its_descriptor_and_time);
    add_backend_test(tcase, a_slow_reader_or_writer_is_named_with_its_descriptor);
    add_backend_test(tcase, slow_tasks_timers_signal_handlers_and_results_are_named);
    add_backend_test(tcase,
                     a_function_without_a_name_is_told_by_its_place_in_the_program);
    add_backend_test(tcase, slow_is_what_the_environment_says_or_a_tenth_of_a_second);
    add_backend_test(tcase, a_descriptor_found_closed_or_replaced_is_named_once);
    add_backend_test(tcase, two_calls_that_overlap_in_two_threads_are_named);
    add_backend_test(tcase, a_call_beside_a_wait_is_named);
    add_backend_test(tcase, a_wait_beside_a_wait_is_named);
    add_backend_test(tcase,
                     a_child_of_another_thread_than_the_one_inside_hears_nothing_of_it);
    add_backend_test(tcase, what_is_allowed_in_threads_and_callbacks_is_not_named);
    add_backend_test(tcase, a_selector_that_threads_use_one_after_another_is_not_named);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
