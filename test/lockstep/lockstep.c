/* SPDX-License-Identifier: MIT */
/*
 * lockstep [--mistake=mask|abort] [STEPS [SEED]]
 * lockstep [--mistake=mask|abort] --replay FILE
 *
 * Four selectors, one of each backend, watch the same descriptors while a random
 * sequence of operations happens to keys and files.  After each step every
 * selector has to agree with a model of the keys and with poll(2).  A key whose
 * descriptor was closed since it was registered must not be reported, with two
 * ways out that the contract leaves: a duplicate keeps the file open, or the
 * number has another file that can't be told apart.
 *
 * Now and then everything is closed and a new sequence begins.  At the first
 * difference the sequence is shrunk and written to lockstep-SEED.script, which
 * --replay does again; the program exits with 1.  The same seed does the same
 * things.  --mistake makes one on purpose, to test just this.
 */
#include "lockstep/look.h"
#include "lockstep/model.h"
#include "lockstep/process.h"
#include "lockstep/shrink.h"
#include "lockstep/world.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    STEPS = 20000,
    SLOW_STEP = 60, /* seconds for a step that is merely slow */
    SLOW_REPLAY = 10
};

typedef struct {
    long steps;
    uint64_t seed;
} random_run;

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

/* False: there was nothing to do it to. */
static bool take_step(operation done)
{
    note_operation(done);
    if (!do_operation(done)) {
        take_back_operation();
        return false;
    }
    check_everywhere();
    look_everywhere();
    return true;
}

static int begin_fresh(void)
{
    open_selectors(); /* libuv's first loop leaves two descriptors for good */
    close_selectors();
    return count_descriptors();
}

static void end_sequence(int descriptors)
{
    close_selectors();
    close_everything();
    if (count_descriptors() != descriptors)
        differ("all", "%d descriptors at the beginning, %d at the end", descriptors,
               count_descriptors());
}

/* Mostly short; a long one now and then. */
static long choose_length(void)
{
    return choose(16) == 0 ? LONGEST_SEQUENCE : 10 + choose(200);
}

static void run_random(const void *argument)
{
    const random_run *run = argument;
    int descriptors = begin_fresh();

    seed_choices(run->seed);
    for (long left = run->steps; left > 0;) {
        long length = choose_length();

        length = length < left ? length : left;
        left -= length;
        begin_sequence();
        open_selectors();
        while (length > 0)
            length -= take_step(draw_operation());
        end_sequence(descriptors);
    }
}

static void run_sequence(const void *argument)
{
    const sequence *replayed = argument;
    int descriptors = begin_fresh();

    open_selectors();
    for (int i = 0; i < replayed->length; i++)
        take_step(replayed->operations[i]);
    end_sequence(descriptors);
}

static outcome replay_quietly(const sequence *replayed)
{
    return run_in_child(run_sequence, replayed, SLOW_REPLAY, true);
}

static void print_script(FILE *file, const sequence *printed, const outcome *found)
{
    for (int i = 0; i < printed->length; i++) {
        char line[LONGEST_LINE];

        describe_operation(printed->operations[i], line, sizeof line);
        fprintf(file, "%s\n", line);
    }
    if (found->differs)
        fprintf(file, "# %s: %s\n", found->backend, found->text);
}

static void write_script(const sequence *written, const outcome *found, uint64_t seed)
{
    char name[64];
    FILE *file;

    snprintf(name, sizeof name, "lockstep-%" PRIu64 ".script", seed);
    file = fopen(name, "w");
    if (file == NULL) {
        perror(name);
        return;
    }
    print_script(file, written, found);
    fclose(file);
    printf("again with: lockstep --replay %s\n", name);
}

static void explain(outcome found, const random_run *run)
{
    static sequence shrunk;
    long steps = done_steps();
    int length = done_sequence()->length;

    printf("step %ld, %s: %s\n", steps, found.backend, found.text);
    printf("again with: lockstep %ld %" PRIu64 "\n", steps, run->seed);
    fflush(stdout);
    shrunk = *done_sequence();
    if (shrink_sequence(&shrunk, replay_quietly, &found))
        printf("shrunk from %d operations to %d:\n", length, shrunk.length);
    else
        printf("it did not come back when these %d were done again:\n", length);
    print_script(stdout, &shrunk, &found);
    write_script(&shrunk, &found, run->seed);
}

static int report(const outcome *found)
{
    if (!found->differs)
        printf("no difference\n");
    return found->differs ? 1 : 0;
}

static int test_at_random(const random_run *run)
{
    outcome found;

    printf("lockstep: %ld steps with seed %" PRIu64 "\n", run->steps, run->seed);
    found = run_in_child(run_random, run, SLOW_STEP, false);
    if (found.differs)
        explain(found, run);
    return report(&found);
}

/* False: a line is no operation. */
static bool read_script(FILE *file, sequence *ret_read)
{
    char line[LONGEST_LINE];

    ret_read->length = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        operation *next = &ret_read->operations[ret_read->length];

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        if (ret_read->length == LONGEST_SEQUENCE || !read_operation(line, next)) {
            fprintf(stderr, "lockstep: not an operation: %s\n", line);
            return false;
        }
        ret_read->length++;
    }
    return true;
}

static int replay(const char *name)
{
    static sequence script;
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    outcome found;

    if (file == NULL) {
        perror(name);
        return 2;
    }
    if (!read_script(file, &script))
        return 2;
    found = run_in_child(run_sequence, &script, SLOW_REPLAY, false);
    print_script(stdout, &script, &found);
    return report(&found);
}

static uint64_t make_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int use(void)
{
    fprintf(stderr, "usage: lockstep [STEPS [SEED]]\n"
                    "       lockstep --replay FILE\n"
                    "--mistake=mask or --mistake=abort before that makes one\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const char mistake[] = "--mistake=";
    random_run run = {STEPS, 0};

    signal(SIGPIPE, SIG_IGN);
    prepare_processes();
    if (argc > 1 && strncmp(argv[1], mistake, strlen(mistake)) == 0) {
        if (!make_mistake(argv[1] + strlen(mistake)))
            return use();
        argv++;
        argc--;
    }
    if (argc > 1 && strcmp(argv[1], "--replay") == 0)
        return argc == 3 ? replay(argv[2]) : use();
    if (argc > 3 || (argc > 1 && argv[1][0] == '-'))
        return use();
    run.steps = argc > 1 ? strtol(argv[1], NULL, 0) : STEPS;
    run.seed = argc > 2 ? strtoull(argv[2], NULL, 0) : make_seed();
    return test_at_random(&run);
}
