/* SPDX-License-Identifier: MIT */
/*
 * A table of verbs.  Which operation is drawn depends on the seed and on what
 * was drawn before, never on what is ready, so that a seed gives one sequence.
 */
#include "lockstep/operation.h"

#include "lockstep/look.h"
#include "lockstep/model.h"
#include "lockstep/world.h"

#include <selkie.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATA = 64, UNKNOWN_EVENT = 8 };

/* What stands between a verb's brackets; a HAPPENING's verb is its own name. */
typedef enum { NOTHING, PLACE, KEY, KIND, TO_PLACE, HAPPENING, BACKEND } form;

static uint64_t random_state;
static int last_places[2];

void seed_choices(uint64_t seed)
{
    random_state = seed;
}

/* splitmix64: any state is a good one. */
static uint64_t next_random(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int choose(int count)
{
    return (int)(next_random() % (uint64_t)count);
}

static void *data_of(operation done)
{
    static char anything[DATA];

    return &anything[done.data];
}

static bool do_register(operation done)
{
    register_everywhere(done.place, done.argument, data_of(done));
    return true;
}

/* With two wrong arguments it would be open which comes first. */
static bool do_modify(operation done)
{
    if (!is_registered(done.place) && done.argument == UNKNOWN_EVENT)
        return false;
    modify_everywhere(done.place, done.argument, data_of(done));
    return true;
}

static bool do_unregister(operation done)
{
    unregister_everywhere(done.place);
    return true;
}

static bool do_add_reader(operation done)
{
    add_everywhere(done.place, SEL_EVENT_READ);
    return true;
}

static bool do_add_writer(operation done)
{
    add_everywhere(done.place, SEL_EVENT_WRITE);
    return true;
}

static bool do_remove_reader(operation done)
{
    remove_everywhere(done.place, SEL_EVENT_READ);
    return true;
}

static bool do_remove_writer(operation done)
{
    remove_everywhere(done.place, SEL_EVENT_WRITE);
    return true;
}

static bool do_open(operation done)
{
    mark_stale(done.place);
    open_at(done.place, done.argument);
    return true;
}

static bool do_close(operation done)
{
    if (file_at(done.place) == 0)
        return false;
    mark_stale(done.place);
    close_at(done.place);
    return true;
}

static bool do_duplicate(operation done)
{
    if (file_at(done.place) == 0 || done.argument == done.place)
        return false;
    mark_stale(done.argument);
    duplicate(done.place, done.argument);
    return true;
}

static bool do_happening(operation done)
{
    if (file_at(done.place) == 0)
        return false;
    happenings[done.argument].happen(done.place);
    return true;
}

static bool do_replace(operation done)
{
    return replace_selector((sel_backend)done.argument);
}

static bool do_wait_if_ready(operation done)
{
    (void)done;
    wait_everywhere(false);
    return true;
}

static bool do_wait(operation done)
{
    (void)done;
    wait_everywhere(true);
    return true;
}

static bool do_unregister_all(operation done)
{
    (void)done;
    for (int place = 0; place < WATCHED; place++)
        if (is_registered(place))
            unregister_everywhere(place);
    return true;
}

static bool do_close_all(operation done)
{
    (void)done;
    for (int place = 0; place < PLACES; place++)
        do_close((operation){.place = (uint8_t)place});
    return true;
}

static const struct {
    const char *name;
    form form;
    int places; /* it is done to the first of them */
    int weight;
    bool (*run)(operation done);
} verbs[] = {
    {"register", KEY, WATCHED, 32, do_register},
    {"modify", KEY, WATCHED, 32, do_modify},
    {"unregister", PLACE, WATCHED, 16, do_unregister},
    {"add_reader", PLACE, WATCHED, 12, do_add_reader},
    {"add_writer", PLACE, WATCHED, 12, do_add_writer},
    {"remove_reader", PLACE, WATCHED, 6, do_remove_reader},
    {"remove_writer", PLACE, WATCHED, 6, do_remove_writer},
    {"open", KIND, WATCHED, 20, do_open},
    {"close", PLACE, PLACES, 16, do_close},
    {"dup2", TO_PLACE, PLACES, 16, do_duplicate},
    {"", HAPPENING, PLACES, 80, do_happening},
    {"replace_selector", BACKEND, 1, 4, do_replace},
    {"wait_if_ready", NOTHING, 1, 24, do_wait_if_ready},
    {"wait", NOTHING, 1, 1, do_wait},
    {"unregister_all", NOTHING, 1, 4, do_unregister_all},
    {"close_all", NOTHING, 1, 4, do_close_all},
};

enum { VERBS = (int)(sizeof verbs / sizeof verbs[0]) };

static const char *const backends[] = {"default", "uv",     "epoll",
                                       "poll",    "select", "kqueue"};

enum { BACKEND_NAMES = (int)(sizeof backends / sizeof backends[0]) };

/* An unknown bit now and then. 0 pauses in a modify and is wrong in a register. */
static int choose_events(void)
{
    int drawn = choose(40);

    return drawn == 0 ? UNKNOWN_EVENT : drawn <= 4 ? 0 : 1 + drawn % EVERY_EVENT;
}

/* Often one of the last two again: what is rare happens to one place in a row. */
static int choose_place(int places)
{
    int again = last_places[choose(2)];

    if (choose(4) != 0 && again < places)
        return again;
    last_places[1] = last_places[0];
    last_places[0] = choose(places);
    return last_places[0];
}

static int choose_argument(form of)
{
    switch (of) {
    case KEY:
        return choose_events();
    case KIND:
        return choose(KINDS);
    case TO_PLACE:
        return choose_place(PLACES);
    case HAPPENING:
        return choose(HAPPENINGS);
    case BACKEND:
        return SEL_BACKEND_UV + choose(BACKEND_NAMES - 1);
    default:
        return 0;
    }
}

static int choose_verb(void)
{
    int sum = 0, drawn, verb = 0;

    for (int i = 0; i < VERBS; i++)
        sum += verbs[i].weight;
    drawn = choose(sum);
    while (drawn >= verbs[verb].weight)
        drawn -= verbs[verb++].weight;
    return verb;
}

operation draw_operation(void)
{
    operation drawn = {.verb = (uint8_t)choose_verb()};

    drawn.place = (uint8_t)choose_place(verbs[drawn.verb].places);
    drawn.argument = (uint8_t)choose_argument(verbs[drawn.verb].form);
    drawn.data = (uint8_t)choose(verbs[drawn.verb].form == KEY ? DATA : 1);
    return drawn;
}

bool do_operation(operation done)
{
    return verbs[done.verb].run(done);
}

void describe_operation(operation described, char *ret_line, size_t size)
{
    const char *name = verbs[described.verb].name;
    int number = FIRST_NUMBER + described.place, argument = described.argument;

    switch (verbs[described.verb].form) {
    case NOTHING:
        snprintf(ret_line, size, "%s();", name);
        break;
    case PLACE:
        snprintf(ret_line, size, "%s(%d);", name, number);
        break;
    case KEY:
        snprintf(ret_line, size, "%s(%d, %s, %d);", name, number, name_events(argument),
                 described.data);
        break;
    case KIND:
        snprintf(ret_line, size, "%s(%d, %s);", name, number, kind_names[argument]);
        break;
    case TO_PLACE:
        snprintf(ret_line, size, "%s(%d, %d);", name, number, FIRST_NUMBER + argument);
        break;
    case HAPPENING:
        snprintf(ret_line, size, "%s(%d);", happenings[argument].name, number);
        break;
    case BACKEND:
        snprintf(ret_line, size, "%s(%s);", name, backends[argument]);
        break;
    }
}

static int count_arguments(form of)
{
    static const int counts[] = {
        [NOTHING] = 1,
        [PLACE] = 1,
        [KEY] = UNKNOWN_EVENT + 1,
        [KIND] = KINDS,
        [TO_PLACE] = PLACES,
        [HAPPENING] = HAPPENINGS,
        [BACKEND] = BACKEND_NAMES,
    };

    return counts[of];
}

/*
 * Reading is describing the other way round: each operation that there is is
 * described and compared.
 */
static bool is_described_by(operation one, const char *line)
{
    char description[LONGEST_LINE];

    describe_operation(one, description, sizeof description);
    return strcmp(description, line) == 0;
}

static bool read_of_verb(const char *line, operation *ret_read)
{
    int arguments = count_arguments(verbs[ret_read->verb].form);
    int data = verbs[ret_read->verb].form == KEY ? DATA : 1;

    for (int i = 0; i < verbs[ret_read->verb].places * arguments * data; i++) {
        ret_read->place = (uint8_t)(i / data / arguments);
        ret_read->argument = (uint8_t)(i / data % arguments);
        ret_read->data = (uint8_t)(i % data);
        if (is_described_by(*ret_read, line))
            return true;
    }
    return false;
}

bool read_operation(const char *line, operation *ret_read)
{
    for (int verb = 0; verb < VERBS; verb++) {
        ret_read->verb = (uint8_t)verb;
        if (read_of_verb(line, ret_read))
            return true;
    }
    return false;
}

/* Without a bit of its events, or with the first data. */
bool simplify_operation(operation *simplified, int variant)
{
    int without = simplified->argument & ~(1 << variant);

    if (verbs[simplified->verb].form != KEY || variant > 3)
        return false;
    if (variant == 3)
        simplified->data = 0;
    else if (without != 0)
        simplified->argument = (uint8_t)without;
    return true;
}
