/* SPDX-License-Identifier: MIT */
/*
 * lockstep [STEPS [SEED]]: four selectors, one of each backend, watch the same
 * descriptors while a random sequence of operations happens to keys and files.
 *
 * After each step every selector has to agree with a model of the keys and with
 * poll(2).  A key whose descriptor was closed since it was registered must not
 * be reported, with two ways out that the contract leaves: a duplicate keeps
 * the file open, or the number has another file that can't be told apart.
 *
 * A difference is printed with the operations since everything was last empty,
 * and the program exits with 1.  The same seed does the same things.
 */
#include "lockstep_history.h"
#include "lockstep_model.h"
#include "lockstep_world.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STEPS = 20000, READ = 1 };

/* 8 is no event. 0 pauses in a modify, and is wrong in a register. */
static int choose_events(void)
{
    int drawn = choose(40);

    return drawn == 0 ? 8 : drawn <= 4 ? 0 : 1 + drawn % EVERY_EVENT;
}

static void *choose_data(void)
{
    static char anything[64];

    return &anything[choose(64)];
}

/* Each operation is done to one place; false: there is nothing to do it to. */
static bool do_register(int place)
{
    if (place >= WATCHED)
        return false;
    register_everywhere(place, choose_events(), choose_data());
    return true;
}

/* With two wrong arguments the contract leaves open which comes first. */
static bool do_modify(int place)
{
    int events = choose_events();

    if (place >= WATCHED)
        return false;
    modify_everywhere(place, is_registered(place) ? events : READ, choose_data());
    return true;
}

static bool do_unregister(int place)
{
    if (place >= WATCHED)
        return false;
    unregister_everywhere(place);
    return true;
}

static bool do_open(int place)
{
    int kind = choose(KINDS);

    if (place >= WATCHED)
        return false;
    note("%d becomes %s", FIRST_NUMBER + place, kind_names[kind]);
    mark_stale(place);
    open_at(place, kind);
    return true;
}

static bool do_close(int place)
{
    if (file_at(place) == 0)
        return false;
    note("close %d", FIRST_NUMBER + place);
    mark_stale(place);
    close_at(place);
    return true;
}

static bool do_duplicate(int place)
{
    int to = choose(PLACES);

    if (file_at(place) == 0 || to == place)
        return false;
    note("dup2 %d to %d", FIRST_NUMBER + place, FIRST_NUMBER + to);
    mark_stale(to);
    duplicate(place, to);
    return true;
}

static bool do_happening(int place)
{
    const happening *chosen = &happenings[choose(HAPPENINGS)];

    if (file_at(place) == 0)
        return false;
    note("%d: %s", FIRST_NUMBER + place, chosen->text);
    chosen->happen(place);
    return true;
}

static const struct {
    int weight;
    bool (*run)(int place);
} operations[] = {
    {8, do_register},  {8, do_modify},    {4, do_unregister}, {5, do_open},
    {3, do_close},     {3, do_duplicate}, {16, do_happening}, {1, replace_selector},
};

enum { OPERATIONS = (int)(sizeof operations / sizeof operations[0]) };

static int sum_weights(void)
{
    int sum = 0;

    for (int i = 0; i < OPERATIONS; i++)
        sum += operations[i].weight;
    return sum;
}

static bool try_operation(void)
{
    int drawn = choose(sum_weights()), place = choose(PLACES), i = 0;

    while (drawn >= operations[i].weight)
        drawn -= operations[i++].weight;
    return operations[i].run(place);
}

static void take_step(void)
{
    count_step();
    while (!try_operation())
        continue;
    check_everywhere();
    look_everywhere();
}

/* Keys and files go in either order: closing first leaves every key stale. */
static void empty_everything(void)
{
    bool close_first = choose(2) == 0;

    if (close_first)
        for (int place = 0; place < PLACES; place++)
            do_close(place);
    for (int place = 0; place < WATCHED; place++)
        if (is_registered(place))
            unregister_everywhere(place);
    check_everywhere();
    look_everywhere();
    close_everything();
    look_everywhere();
    forget_history();
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    if (dir == NULL)
        return -1;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void run(long steps)
{
    int limit = 10 + choose(100);

    open_selectors();
    for (long step = 0; step < steps; step++) {
        take_step();
        if (history_length() < limit)
            continue;
        empty_everything();
        limit = 10 + choose(100);
    }
    empty_everything();
    close_selectors();
}

static uint64_t make_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    long steps = argc > 1 ? strtol(argv[1], NULL, 0) : STEPS;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : make_seed();
    int descriptors;

    signal(SIGPIPE, SIG_IGN);
    printf("lockstep: %ld steps with seed %" PRIu64 "\n", steps, seed);
    fflush(stdout);
    begin_history(seed);
    open_selectors(); /* libuv's first loop leaves two descriptors for good */
    close_selectors();
    descriptors = count_descriptors();
    run(steps);
    if (count_descriptors() != descriptors)
        differ("all", "%d descriptors at the beginning, %d at the end", descriptors,
               count_descriptors());
    printf("no difference\n");
    return 0;
}
