/* SPDX-License-Identifier: MIT */
/*
 * The selector: three bytes of the input are an operation on keys, on files, or a wait.
 * A key's callback does another operation of the same input.
 *
 * The first byte chooses one backend, or all of them side by side: then each operation
 * is done to every selector, and all watch the same files.
 */
#include "fuzz.h"
#include "operations_model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKENDS = 5, MOST_STEPS = 128, MOST_TCP = 2, KINDS_OF_TCP = 2, FIRST_TCP = 3 };

typedef struct {
    uint8_t code, place, argument;
} operation;

/* What an operation is done to: all selectors, or the one whose callback does it. */
typedef struct {
    contestant *first, *end;
} selectors;

static contestant contestants[BACKENDS];
static selectors all;
static operation program[MOST_STEPS];
static int length, tcp_opened;
static int never_watched[3]; /* a file, a directory, /dev/null */
static int beyond_select; /* -1: this process may have none such */

/* The callback's operation: the argument's upper half counts from here. */
static void *choose_data(const operation *op)
{
    return &program[((int)(op - program) + 1 + (op->argument >> 4)) % length];
}

static int choose_events(const operation *op)
{
    return op->argument & EVERY_EVENT;
}

static bool choose_callback(const operation *op)
{
    return (op->argument & 8) == 0;
}

static void do_register(selectors on, const operation *op)
{
    int place = op->place % WATCHED;

    for (contestant *one = on.first; one < on.end; one++)
        try_register(one, place, choose_events(op), choose_callback(op), choose_data(op));
}

static void do_modify(selectors on, const operation *op)
{
    int place = op->place % WATCHED;

    for (contestant *one = on.first; one < on.end; one++)
        try_modify(one, place, choose_events(op), choose_callback(op), choose_data(op));
}

static void do_modify_wrongly(selectors on, const operation *op)
{
    int place = op->place % WATCHED;

    for (contestant *one = on.first; one < on.end; one++)
        try_modify(one, place, choose_events(op) | 8, choose_callback(op), NULL);
}

static void do_unregister(selectors on, const operation *op)
{
    for (contestant *one = on.first; one < on.end; one++)
        try_unregister(one, op->place % WATCHED);
}

static int choose_direction(const operation *op)
{
    return (op->argument & 1) != 0 ? SEL_EVENT_READ : SEL_EVENT_WRITE;
}

static void do_add(selectors on, const operation *op)
{
    for (contestant *one = on.first; one < on.end; one++)
        try_add(one, op->place % WATCHED, choose_direction(op), choose_data(op));
}

static void do_remove(selectors on, const operation *op)
{
    for (contestant *one = on.first; one < on.end; one++)
        try_remove(one, op->place % WATCHED, choose_direction(op));
}

static void do_select(selectors on, const operation *op)
{
    for (contestant *one = on.first; one < on.end; one++)
        try_select(one, (op->argument & 1) != 0);
}

static void do_dispatch(selectors on, const operation *op)
{
    (void)op;
    for (contestant *one = on.first; one < on.end; one++)
        try_dispatch(one);
}

static void do_pass(selectors on, const operation *op)
{
    do_select(on, op);
    do_dispatch(on, op);
}

static void do_wakeup(selectors on, const operation *op)
{
    (void)op;
    for (contestant *one = on.first; one < on.end; one++)
        try_wakeup(one);
}

static void do_fileno(selectors on, const operation *op)
{
    (void)op;
    for (contestant *one = on.first; one < on.end; one++)
        try_fileno(one);
}

static void work(contestant *one, void *data);

static void do_replace(selectors on, const operation *op)
{
    (void)op;
    for (contestant *one = on.first; one < on.end; one++) {
        bool inside = one->dispatching;

        tell_step("%s: close", sel_backend_name(one->sel));
        close_contestant(one);
        if (!inside)
            open_contestant(one, one->backend, work);
    }
}

/* The file of a place is about to be another, for everyone. */
static void mark_all_stale(int place)
{
    for (contestant *one = all.first; one < all.end; one++)
        mark_stale(one, place);
}

/* libFuzzer's clock is a SIGALRM, and the world's connect() is not ready for one. */
static void open_undisturbed(int place, int kind)
{
    sigset_t alarm, before;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, &before);
    open_at(place, kind);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void do_open(selectors on, const operation *op)
{
    int kind = op->argument % KINDS, place = op->place % WATCHED;
    bool tcp = kind >= FIRST_TCP && kind < FIRST_TCP + KINDS_OF_TCP;

    (void)on;
    if (tcp && tcp_opened++ >= MOST_TCP) /* closed ones keep their port for a minute */
        kind = FIRST_TCP - 1;
    tell_step("%d becomes %s", number_of(place), kind_names[kind]);
    mark_all_stale(place);
    open_undisturbed(place, kind);
}

static void do_close(selectors on, const operation *op)
{
    int place = op->place % PLACES;

    (void)on;
    if (file_at(place) == 0)
        return;
    tell_step("close %d", number_of(place));
    mark_all_stale(place);
    close_at(place);
}

static void do_duplicate(selectors on, const operation *op)
{
    int from = op->place % PLACES, to = op->argument % PLACES;

    (void)on;
    if (file_at(from) == 0 || from == to)
        return;
    tell_step("dup2 %d to %d", number_of(from), number_of(to));
    mark_all_stale(to);
    duplicate(from, to);
}

static void do_happening(selectors on, const operation *op)
{
    const happening *chosen = &happenings[op->argument % HAPPENINGS];
    int place = op->place % PLACES;

    (void)on;
    if (file_at(place) == 0)
        return;
    tell_step("%d: %s", number_of(place), chosen->name);
    chosen->happen(place);
}

static void expect(const char *call, int result, int wanted)
{
    if (result != wanted)
        broken("%s answered %d, not %d", call, result, wanted);
}

/* What is refused is refused by every backend alike, and nothing has changed. */
static void try_wrong(sel_selector *sel, int which)
{
    sel_key key;

    expect("register -1", sel_register(sel, -1, 1, NULL, NULL), -EINVAL);
    expect("modify -1", sel_modify(sel, -1, 1, NULL, NULL), -EINVAL);
    expect("unregister INT_MAX", sel_unregister(sel, INT_MAX), -ENOENT);
    expect("register for 8", sel_register(sel, FIRST_NUMBER, 8, NULL, NULL), -EINVAL);
    expect("get_key", sel_get_key(sel, FIRST_NUMBER + PLACES, &key), -ENOENT);
    expect("get_map to NULL", sel_get_map(sel, NULL, 1), -EINVAL);
    expect("select for NaN", sel_select(sel, (double)NAN, NULL), -EINVAL);
    expect("after_fork", sel_after_fork(sel), 0);
    expect("register what epoll refuses",
           sel_register(sel, never_watched[which % 3], EVERY_EVENT, NULL, NULL), -EPERM);
}

static void try_beyond_select(const contestant *one)
{
    int wanted = one->backend == SEL_BACKEND_SELECT ? -ERANGE : 0;
    int after = wanted < 0 ? -ENOENT : 0;

    expect("register of a large number",
           sel_register(one->sel, beyond_select, SEL_EVENT_READ, NULL, NULL), wanted);
    expect("unregister of a large number",
           sel_unregister(one->sel, beyond_select), after);
}

static void do_wrong(selectors on, const operation *op)
{
    for (contestant *one = on.first; one < on.end; one++) {
        one->quiet = false;
        if (!one->dispatching)
            try_wrong(one->sel, op->argument);
        if (beyond_select >= 0)
            try_beyond_select(one);
    }
}

/* Some stand in it more than once, to be chosen more often. */
static void (*const operations[])(selectors on, const operation *op) = {
    do_register, do_register,   do_modify, do_modify, do_modify_wrongly, do_unregister,
    do_open,     do_open,       do_close,  do_close,  do_duplicate,      do_duplicate,
    do_happening, do_happening, do_happening, do_select, do_select,      do_dispatch,
    do_pass,     do_pass,       do_wakeup, do_fileno, do_replace,        do_wrong,
    do_add,      do_add,        do_remove,
};

enum { OPERATIONS = (int)(sizeof operations / sizeof operations[0]) };

static void run(selectors on, const operation *op)
{
    operations[op->code % OPERATIONS](on, op);
}

static void work(contestant *one, void *data)
{
    if (data != NULL)
        run((selectors){one, one + 1}, data);
}

static void read_program(fuzz_input *input)
{
    for (length = 0; length < MOST_STEPS && bytes_left(input) >= 3; length++) {
        operation *op = &program[length];

        op->code = (uint8_t)take_byte(input);
        op->place = (uint8_t)take_byte(input);
        op->argument = (uint8_t)take_byte(input);
    }
}

static void open_all(int chosen)
{
    all.first = all.end = contestants;
    for (int i = 0; i < count_backends(); i++) {
        sel_backend backend = (sel_backend)(SEL_BACKEND_UV + i);

        if (sel_backend_available(backend) && (chosen >= count_backends() || chosen == i))
            open_contestant(all.end++, backend, work);
    }
}

static void check_all(void)
{
    for (contestant *one = all.first; one < all.end; one++)
        check_contestant(one);
}

/* Sockets are reset, so that no port is kept. */
static void empty_world(void)
{
    const struct linger reset = {.l_onoff = 1};

    for (int place = 0; place < PLACES; place++) {
        if (file_at(place) == 0)
            continue;
        mark_all_stale(place);
        setsockopt(number_of(place), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    close_everything();
}

static void open_beyond_select(void)
{
    int counter = must(eventfd(0, EFD_CLOEXEC), "eventfd");
    struct rlimit limit;

    must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    beyond_select = fcntl(counter, F_DUPFD_CLOEXEC, FD_SETSIZE);
    close(counter);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    warm_up();
    never_watched[0] = must(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "a file");
    never_watched[1] = must(open("/", O_RDONLY | O_CLOEXEC), "a directory");
    never_watched[2] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (never_watched[2] < 0) /* a chroot's /dev may be empty */
        never_watched[2] = must(open("/proc", O_RDONLY | O_CLOEXEC), "/proc");
    open_beyond_select();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, bytes + size};
    int chosen = take_byte(&input) % (2 * count_backends());
    int descriptors = count_descriptors();
    bool files_first = (size & 1) != 0;

    tcp_opened = 0;
    read_program(&input);
    open_all(chosen);
    for (int i = 0; i < length; i++) {
        run(all, &program[i]);
        check_all();
    }
    if (files_first)
        empty_world();
    for (contestant *one = all.first; one < all.end; one++) {
        try_select(one, false);
        close_contestant(one);
    }
    empty_world();
    check_descriptors(descriptors);
    return 0;
}
