/* SPDX-License-Identifier: MIT */
/*
 * Fault injection: every scenario on every backend, once for each call of the
 * library's that can fail, failing once and more often.
 *
 *     torture memory|calls [SCENARIO [BACKEND]]
 *
 * A scenario runs in a child process, first without faults: how often it makes
 * each call is how many runs with a fault there are, and what it notes is what
 * each of them must note too. TEST_FAULTS bounds how many of one call's places in
 * a scenario are tried, evenly spread over all; a long scenario has a tenth, and
 * when that is one, one errno of each call. Beside these each place in the library's
 * code from which the call is made is tried, the first time that it comes there.
 * With TEST_TAKES_TURNS each scenario runs on two of the four backends.
 */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK = 1,
    LONG = 2000, /* calls of a scenario */
    MOST_PLANS = 1 << 18,
    MOST_FAILURES = 6, /* of one scenario on one backend */
    SECONDS = 60,      /* for one run */
    MANY = 1200,       /* descriptors of the one scenario that is about a crowd */
    SKIPPED = 77,
};

static const scenario *const groups[] = {
    opening_scenarios, key_scenarios, wait_scenarios, reactor_scenarios, fork_scenarios};
static const char *const backend_names[] = {
    [SEL_BACKEND_UV] = "uv", [SEL_BACKEND_EPOLL] = "epoll",
    [SEL_BACKEND_POLL] = "poll", [SEL_BACKEND_SELECT] = "select",
    [SEL_BACKEND_KQUEUE] = "kqueue"};
static const fault_plan no_fault;

static fault_plan *plans; /* shared, as fault_run is */
static long limit;
static bool is_memory;
static bool takes_turns;

/* --- one run --- */

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static bool opens(const scenario *test)
{
    for (const scenario *each = opening_scenarios; each->name != NULL; each++)
        if (each == test)
            return true;
    return false;
}

static void run(const scenario *test, sel_backend backend, const fault_plan *plan,
                bool is_first)
{
    static world w;
    int descriptors = count_descriptors();
    long live = fault_live;

    w = (world){.backend = backend};
    faults_begin(plan);
    alarm(SECONDS);
    if (!opens(test))
        open_world(&w, false);
    test->run(&w);
    close_world(&w);
    if (fault_live != live)
        fail_run("%ld blocks were left", fault_live - live);
    if (!is_first && count_descriptors() != descriptors)
        fail_run("%d descriptors were left", count_descriptors() - descriptors);
}

/* --- the plans --- */

static void add_plan(fault_plan plan)
{
    CHECK(fault_run->length < MOST_PLANS);
    plans[fault_run->length++] = plan;
}

static bool is_long(void)
{
    return fault_run->total > LONG;
}

/* Once, and until it is heard. */
static void plan_place(fault_plan plan, long place)
{
    plan.from = place;
    plan.times = 1;
    add_plan(plan);
    plan.times = is_memory ? FOR_EVER : 3;
    add_plan(plan);
}

/* Each time that the scenario makes the call. */
static void plan_all(fault_plan plan, long made)
{
    for (long place = 1; place <= made; place++)
        plan_place(plan, place);
}

static bool is_usual(const fault_plan *plan)
{
    return plan->error == fault_rows[plan->call].errnos[0];
}

/* As many times as are allowed; with the usual error each place in the code, too. */
static void plan_some(fault_plan plan, long made, long most, const fault_sites *sites)
{
    for (long i = 0; i < most; i++)
        plan_place(plan, most < 2 ? (made + 1) / 2 : 1 + i * (made - 1) / (most - 1));
    for (int i = 0; i < sites->count; i++)
        if (sites->each[i].call == plan.call && is_usual(&plan))
            plan_place(plan, sites->each[i].first);
}

static void plan_call(fault_plan plan, long made, const fault_sites *sites)
{
    long most = is_long() ? (limit + 9) / 10 : limit;

    if (made <= most)
        plan_all(plan, made);
    else
        plan_some(plan, made, most, sites);
}

static void make_plans(void)
{
    for (fault_call call = NO_CALL + 1; call < CALLS; call++) {
        const fault_row *row = &fault_rows[call];

        if ((call == MEMORY) != is_memory)
            continue;
        for (const int *error = row->errnos; *error != 0; error++) {
            if (is_long() && limit < 10 && error != row->errnos)
                break;
            plan_call((fault_plan){.call = call, .error = *error},
                      row->behind != NO_CALL ? 2 : fault_run->made[call], &fault_run->sites);
            if (fault_run->made_first[call] > fault_run->made[call])
                plan_call((fault_plan){.call = call, .error = *error, .is_first = true},
                          fault_run->made_first[call], &fault_run->sites_first);
        }
    }
}

/* --- a child's work --- */

/* After these the process does not make the call again. */
static bool is_for_good(const fault_plan *plan)
{
    return plan->call == EPOLL_PWAIT2 && plan->error != EINTR;
}

static void count_run(const fault_plan *plan)
{
    const int *errnos = fault_rows[plan->call].errnos;
    int i = 0;

    while (errnos[i] != plan->error)
        i++;
    fault_run->injected += fault_run->struck;
    fault_run->tried[plan->call][i] |= fault_run->struck > 0;
}

static void compare(const char *reference)
{
    if (strcmp(fault_run->journal, reference) != 0)
        fail_run("it noted\n%sand not\n%s", fault_run->journal, reference);
}

/* What a process does only at first fails in one that has not done it. */
static void try_first(const scenario *test, sel_backend backend, const fault_plan *plan)
{
    static char journal[JOURNAL_SIZE];

    fault_run->most = 0;
    run(test, backend, plan, true);
    count_run(plan);
    memcpy(journal, fault_run->journal, sizeof journal);
    run(test, backend, &no_fault, false);
    compare(journal);
    fault_run->next++;
    _exit(0);
}

static bool is_next_first(void)
{
    return fault_run->next < fault_run->length && plans[fault_run->next].is_first;
}

/* Until all are tried, or one needs another process. */
static void try_plans(const scenario *test, sel_backend backend, const char *reference)
{
    for (; fault_run->next < fault_run->length; fault_run->next++) {
        const fault_plan *plan = &plans[fault_run->next];

        if (plan->is_first)
            return;
        run(test, backend, plan, false);
        compare(reference);
        count_run(plan);
        if (is_for_good(plan)) {
            fault_run->next++;
            return;
        }
    }
    fault_run->next = -1;
}

/*
 * libuv's first loop of a process opens a pipe that stays, so the second run counts.
 * What only the first one did is made to fail in processes of its own.
 */
static _Noreturn void be_child(const scenario *test, sel_backend backend)
{
    static char reference[JOURNAL_SIZE];

    if (is_next_first())
        try_first(test, backend, &plans[fault_run->next]);
    fault_run->most = 0;
    run(test, backend, &no_fault, true);
    memcpy(fault_run->made_first, fault_run->made, sizeof fault_run->made);
    fault_run->sites_first = fault_run->sites;
    run(test, backend, &no_fault, false);
    fault_run->most = 10 * fault_run->total + 5000;
    memcpy(reference, fault_run->journal, sizeof reference);
    if (fault_run->length == 0)
        make_plans();
    try_plans(test, backend, reference);
    _exit(0);
}

/* --- the parent's --- */

static const char *describe_end(int status)
{
    static char text[80];

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(text, sizeof text, "it hung");
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "it was ended by: %s", strsignal(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "it ended with %d", WEXITSTATUS(status));
    return text;
}

static void tell_failure(const scenario *test, sel_backend backend, int status)
{
    const fault_plan *plan = &fault_run->plan;
    const fault_row *row = &fault_rows[plan->call];
    const char *message = fault_run->message[0] != '\0' ? fault_run->message :
                                                           describe_end(status);

    printf("FAILED %s (%s), ", test->name, backend_names[backend]);
    if (plan->call == NO_CALL)
        printf("without a fault: %s\n", message);
    else
        printf("%s %s %s from call %ld on %s: %s\n", row->symbol, row->use,
               strerrorname_np(plan->error), plan->from,
               plan->times == 1 ? "once" : is_memory ? "for ever" : "3 times", message);
    fflush(stdout);
}

/* One process after another until all is tried; how many failed. */
static int try_scenario(const scenario *test, sel_backend backend)
{
    int failures = 0;

    fault_run->next = fault_run->length = 0;
    while (fault_run->next >= 0 && failures < MOST_FAILURES) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0)
            be_child(test, backend);
        CHECK(waitpid(pid, &status, 0) == pid);
        if (status == 0)
            continue;
        tell_failure(test, backend, status);
        failures++;
        if (fault_run->plan.call == NO_CALL)
            break;
        fault_run->next++;
    }
    return failures;
}

/* Rows and errors that no scenario came to are tests that test nothing. */
static int tell_counts(int scenarios, int backends, bool is_whole)
{
    const char *turns = takes_turns ? ", each on two of them" : "";
    int calls = 0, errors = 0, missed = 0;

    for (fault_call call = NO_CALL + 1; call < CALLS; call++) {
        const fault_row *row = &fault_rows[call];
        int tried = 0;

        if ((call == MEMORY) != is_memory)
            continue;
        for (int i = 0; row->errnos[i] != 0; i++) {
            tried += fault_run->tried[call][i];
            if (fault_run->tried[call][i] || !is_whole)
                continue;
            printf("FAILED %s %s never failed with %s\n", row->symbol, row->use,
                   strerrorname_np(row->errnos[i]));
            missed++;
        }
        calls += tried > 0;
        errors += tried;
    }
    if (is_memory)
        printf("memory: %ld failures injected in %d scenarios on %d backends%s\n",
               fault_run->injected, scenarios, backends, turns);
    else
        printf("system calls: %ld failures injected (%d calls, %d pairs of call and errno) in "
               "%d scenarios on %d backends%s\n",
               fault_run->injected, calls, errors, scenarios, backends, turns);
    return missed;
}

static bool is_wanted(const char *wanted, const char *name)
{
    return wanted == NULL || strcmp(wanted, name) == 0;
}

/* The scenario of many watches more than the usual 1,024. */
static rlim_t raise_descriptor_limit(void)
{
    struct rlimit open_files;

    CHECK(getrlimit(RLIMIT_NOFILE, &open_files) == 0);
    open_files.rlim_cur = open_files.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &open_files) == 0);
    return open_files.rlim_max;
}

static bool is_left_out(const scenario *test)
{
    rlim_t allowed = raise_descriptor_limit();

    if (allowed >= MANY || strcmp(test->name, "forked_with_many") != 0)
        return false;
    printf("left out %s: it needs %d descriptors, and %lu are allowed\n", test->name, MANY,
           (unsigned long)allowed);
    return true;
}

/* Of two scenarios in a row one has uv, poll and kqueue, the other epoll and select. */
static bool is_its_turn(int number, int backend)
{
    return !takes_turns || (number + backend) % 2 == 0;
}

static int try_all(const char *name, const char *backend_name)
{
    int failures = 0, scenarios = 0, number = 0;
    bool is_whole = name == NULL && backend_name == NULL && !takes_turns;
    int first = SEL_BACKEND_UV, end = SEL_BACKEND_SELECT + 1;

    if (sel_backend_available(SEL_BACKEND_KQUEUE))
        end = SEL_BACKEND_KQUEUE + 1;

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        for (const scenario *test = groups[i]; test->name != NULL; test++) {
            number++;
            if (!is_wanted(name, test->name))
                continue;
            if (is_left_out(test)) {
                is_whole = false;
                continue;
            }
            scenarios++;
            for (int backend = first; backend < end; backend++)
                if (backend_name == NULL ? is_its_turn(number, backend) :
                                           is_wanted(backend_name, backend_names[backend]))
                    failures += try_scenario(test, (sel_backend)backend);
        }
    }
    return failures + tell_counts(scenarios, backend_name == NULL ? end - first : 1,
                                  is_whole && failures == 0);
}

static void *make_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

/* Each call with its errors, and each that never fails, for check_calls.py. */
static void print_table(void)
{
    for (fault_call call = NO_CALL + 1; call < CALLS; call++)
        if (fault_rows[call].symbol != NULL)
            printf("fails %s\n", fault_rows[call].symbol);
    for (const fault_exception *each = fault_exceptions; each->symbols != NULL; each++)
        printf("never %s: %s\n", each->symbols, each->reason);
}

/* An older kernel, valgrind and some containers' filters have none. */
static bool has_epoll_pwait2(void)
{
    struct epoll_event event;

    epoll_pwait2(-1, &event, 1, NULL, NULL);
    return errno != ENOSYS && errno != EPERM && errno != EACCES;
}

/* A careless parent leaves its own mask, and the scenarios send themselves signals. */
static void unblock_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(int argc, char **argv)
{
    const char *given = getenv("TEST_FAULTS");
    int failures;

    limit = given != NULL ? atol(given) : QUICK;
    fault_run = make_shared(sizeof *fault_run);
    plans = make_shared(MOST_PLANS * sizeof *plans);
    unsetenv("SELKIE_BACKEND");
    unblock_signals();
    if (argc == 2 && strcmp(argv[1], "table") == 0) {
        print_table();
        return EXIT_SUCCESS;
    }
    if (argc < 2 || (strcmp(argv[1], "memory") != 0 && strcmp(argv[1], "calls") != 0)) {
        fprintf(stderr, "usage: %s memory|calls|table [SCENARIO [BACKEND]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    is_memory = strcmp(argv[1], "memory") == 0;
    takes_turns = getenv("TEST_TAKES_TURNS") != NULL;
    if (!is_memory && !has_epoll_pwait2()) {
        printf("there is no epoll_pwait2() here that could fail\n");
        return SKIPPED;
    }
    failures = try_all(argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : getenv("TEST_BACKEND"));
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
