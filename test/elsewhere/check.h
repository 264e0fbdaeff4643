/* SPDX-License-Identifier: MIT */
/*
 * As much of libcheck as the suites here use, for C libraries and machines that
 * Debian's libcheck is not built for: the same suites then run on musl and on
 * big-endian.  Where there is libcheck, this is not seen.
 *
 * Every test runs in a process of its own, bounded in time, and a failure ends
 * that process.  So nothing is shared between the files that include this, but
 * the place in memory that a failure is told in.
 */
#ifndef TEST_ELSEWHERE_CHECK_H
#define TEST_ELSEWHERE_CHECK_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHECK_TESTS = 1024, CHECK_CASES = 16, CHECK_MESSAGE = 500, CHECK_TIMEOUT = 4 };
enum print_output { CK_ENV };

typedef void check_function(int _i);
typedef void check_fixture(void);

typedef struct {
    const char *name;
    check_function *run;
    int start, end; /* of the loop variable */
} check_test;

typedef struct {
    const char *name;
    check_fixture *set_up, *tear_down;
    int timeout, length;
    check_test tests[CHECK_TESTS];
} TCase;

typedef struct {
    const char *name;
    int length;
    TCase *cases[CHECK_CASES];
} Suite;

typedef struct {
    Suite *suite;
    int failed, run;
} SRunner;

#define START_TEST(name) static void name(int _i __attribute__((unused)))
#define END_TEST
#define tcase_add_test(tcase, test) check_add(tcase, #test, test, 0, 1)
#define tcase_add_loop_test(tcase, test, start, end) \
    check_add(tcase, #test, test, start, end)

/* --- building --- */

static inline void *check_allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        abort();
    return memory;
}

static inline Suite *suite_create(const char *name)
{
    Suite *suite = check_allocate(sizeof *suite);

    suite->name = name;
    return suite;
}

static inline TCase *tcase_create(const char *name)
{
    TCase *tcase = check_allocate(sizeof *tcase);

    tcase->name = name;
    tcase->timeout = CHECK_TIMEOUT;
    return tcase;
}

static inline void suite_add_tcase(Suite *suite, TCase *tcase)
{
    if (suite->length == CHECK_CASES)
        abort();
    suite->cases[suite->length++] = tcase;
}

static inline void tcase_set_timeout(TCase *tcase, double seconds)
{
    tcase->timeout = (int)seconds;
}

static inline void tcase_add_checked_fixture(TCase *tcase, check_fixture *set_up,
                                             check_fixture *tear_down)
{
    tcase->set_up = set_up;
    tcase->tear_down = tear_down;
}

static inline void check_add(TCase *tcase, const char *name, check_function *run,
                             int start, int end)
{
    if (tcase->length == CHECK_TESTS)
        abort();
    tcase->tests[tcase->length++] = (check_test){name, run, start, end};
}

/* --- failing --- */

/*
 * The environment hands the place on to every file: support.c runs what others
 * have built.
 */
static inline char *check_message(void)
{
    const char *place = getenv("CHECK_MESSAGE_AT");

    return place != NULL ? (char *)(uintptr_t)strtoull(place, NULL, 16) : NULL;
}

__attribute__((format(printf, 3, 4), noreturn)) static inline void
check_fail(const char *file, int line, const char *format, ...)
{
    char text[CHECK_MESSAGE / 2], *message = check_message();
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (message != NULL)
        snprintf(message, CHECK_MESSAGE, "%s:%d: %s", file, line, text);
    fflush(NULL);
    _exit(EXIT_FAILURE);
}

#define ck_abort_msg(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
#define ck_assert_msg(condition, ...)                   \
    do {                                                \
        if (!(condition))                               \
            check_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)
#define ck_assert(condition) ck_assert_msg(condition, "%s is false", #condition)

#define CHECK_COMPARE(type, format, x, op, y)                                         \
    do {                                                                              \
        type check_x = (x);                                                           \
        type check_y = (y);                                                           \
        if (!(check_x op check_y))                                                    \
            check_fail(__FILE__, __LINE__, "%s %s %s: " format ", " format, #x, #op,  \
                       #y, check_x, check_y);                                         \
    } while (0)
#define CHECK_STRINGS(x, op, y)                                                       \
    do {                                                                              \
        const char *check_x = (x), *check_y = (y);                                    \
        if (!(strcmp(check_x, check_y) op 0))                                         \
            check_fail(__FILE__, __LINE__, "%s %s %s: %s, %s", #x, #op, #y, check_x,  \
                       check_y);                                                      \
    } while (0)

#define ck_assert_int_eq(x, y) CHECK_COMPARE(intmax_t, "%jd", x, ==, y)
#define ck_assert_int_ne(x, y) CHECK_COMPARE(intmax_t, "%jd", x, !=, y)
#define ck_assert_int_lt(x, y) CHECK_COMPARE(intmax_t, "%jd", x, <, y)
#define ck_assert_int_le(x, y) CHECK_COMPARE(intmax_t, "%jd", x, <=, y)
#define ck_assert_int_gt(x, y) CHECK_COMPARE(intmax_t, "%jd", x, >, y)
#define ck_assert_int_ge(x, y) CHECK_COMPARE(intmax_t, "%jd", x, >=, y)
#define ck_assert_uint_eq(x, y) CHECK_COMPARE(uintmax_t, "%ju", x, ==, y)
#define ck_assert_uint_ne(x, y) CHECK_COMPARE(uintmax_t, "%ju", x, !=, y)
#define ck_assert_uint_lt(x, y) CHECK_COMPARE(uintmax_t, "%ju", x, <, y)
#define ck_assert_uint_le(x, y) CHECK_COMPARE(uintmax_t, "%ju", x, <=, y)
#define ck_assert_uint_gt(x, y) CHECK_COMPARE(uintmax_t, "%ju", x, >, y)
#define ck_assert_uint_ge(x, y) CHECK_COMPARE(uintmax_t, "%ju", x, >=, y)
#define ck_assert_double_eq(x, y) CHECK_COMPARE(double, "%g", x, ==, y)
#define ck_assert_double_lt(x, y) CHECK_COMPARE(double, "%g", x, <, y)
#define ck_assert_double_le(x, y) CHECK_COMPARE(double, "%g", x, <=, y)
#define ck_assert_double_gt(x, y) CHECK_COMPARE(double, "%g", x, >, y)
#define ck_assert_double_ge(x, y) CHECK_COMPARE(double, "%g", x, >=, y)
#define ck_assert_ptr_eq(x, y) CHECK_COMPARE(const void *, "%p", x, ==, y)
#define ck_assert_ptr_ne(x, y) CHECK_COMPARE(const void *, "%p", x, !=, y)
#define ck_assert_ptr_null(x) ck_assert_ptr_eq(x, NULL)
#define ck_assert_ptr_nonnull(x) ck_assert_ptr_ne(x, NULL)
#define ck_assert_str_eq(x, y) CHECK_STRINGS(x, ==, y)
#define ck_assert_str_ne(x, y) CHECK_STRINGS(x, !=, y)
#define ck_assert_mem_eq(x, y, size) ck_assert(memcmp(x, y, size) == 0)

/* --- running --- */

/* The child's end within its time, or its status as if it had been killed. */
static inline int check_wait(pid_t child, int seconds)
{
    const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
    struct timespec bound = {seconds * (multiplier != NULL ? atol(multiplier) : 1), 0};
    sigset_t children;
    int status;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (sigtimedwait(&children, NULL, &bound) < 0 && errno == EAGAIN) {
            kill(-child, SIGKILL);
            kill(child, SIGKILL);
        }
    }
    return status;
}

static inline void check_be_child(const TCase *tcase, const check_test *test, int i,
                                  const sigset_t *mask)
{
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (tcase->set_up != NULL)
        tcase->set_up();
    test->run(i);
    if (tcase->tear_down != NULL)
        tcase->tear_down();
    exit(EXIT_SUCCESS);
}

static inline int check_run_in_child(const TCase *tcase, const check_test *test, int i)
{
    sigset_t children, before;
    pid_t child;
    int status;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, &before);
    fflush(NULL);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0)
        check_be_child(tcase, test, i, &before);
    status = check_wait(child, tcase->timeout);
    kill(-child, SIGKILL); /* whatever it has left behind */
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

static inline void check_escape(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        if (strchr("<>&\"'", *text) != NULL)
            fprintf(file, "&#%d;", *text);
        else
            fputc(*text, file);
}

static inline void check_log(FILE *log, const check_test *test, int i, bool passed,
                             const char *message)
{
    if (log == NULL)
        return;
    fprintf(log, "<test result=\"%s\"><fn>", passed ? "success" : "failure");
    fprintf(log, "%s</fn><id>%s</id><iteration>%d</iteration><message>", test->name,
            test->name, i);
    check_escape(log, message);
    fprintf(log, "</message></test>\n");
}

static inline void check_run_test(SRunner *runner, const TCase *tcase,
                                  const check_test *test, int i, FILE *log)
{
    char *message = check_message();
    int status;

    message[0] = '\0';
    status = check_run_in_child(tcase, test, i);
    runner->run++;
    runner->failed += status != 0;
    if (status != 0 && message[0] == '\0')
        snprintf(message, CHECK_MESSAGE, "ended with wait status %#x", (unsigned)status);
    if (status != 0)
        printf("%s:%d: %s\n", test->name, i, message);
    check_log(log, test, i, status == 0, status == 0 ? "Passed" : message);
}

static inline void check_share_message(void)
{
    char place[32];
    void *message = mmap(NULL, CHECK_MESSAGE, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (message == MAP_FAILED)
        abort();
    snprintf(place, sizeof place, "%jx", (uintmax_t)(uintptr_t)message);
    setenv("CHECK_MESSAGE_AT", place, 1);
}

static inline SRunner *srunner_create(Suite *suite)
{
    SRunner *runner = check_allocate(sizeof *runner);

    runner->suite = suite;
    return runner;
}

static inline void check_run_case(SRunner *runner, const TCase *tcase, FILE *log)
{
    const char *wanted = getenv("CK_RUN_CASE");

    if (wanted != NULL && strcmp(wanted, tcase->name) != 0)
        return;
    for (int test = 0; test < tcase->length; test++)
        for (int i = tcase->tests[test].start; i < tcase->tests[test].end; i++)
            check_run_test(runner, tcase, &tcase->tests[test], i, log);
}

static inline void srunner_run_all(SRunner *runner, enum print_output how)
{
    const char *name = getenv("CK_XML_LOG_FILE_NAME");
    FILE *log = name != NULL ? fopen(name, "we") : NULL;

    (void)how;
    check_share_message();
    for (int i = 0; i < runner->suite->length; i++)
        check_run_case(runner, runner->suite->cases[i], log);
    if (log != NULL)
        fclose(log);
    printf("%s: %d run, %d failed\n", runner->suite->name, runner->run, runner->failed);
}

static inline int srunner_ntests_failed(const SRunner *runner)
{
    return runner->failed;
}

static inline void srunner_free(SRunner *runner)
{
    for (int i = 0; i < runner->suite->length; i++)
        free(runner->suite->cases[i]);
    free(runner->suite);
    free(runner);
}

#endif
