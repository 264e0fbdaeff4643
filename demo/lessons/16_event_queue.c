/* SPDX-License-Identifier: MIT */
/*
 * An event queue, as in every window system: each event carries its handler, and a
 * loop takes events out in order and calls their handlers. docs/twins/event_queue.py
 * is the same program in Python.
 *
 * Lines of standard input play the mouse and the keyboard.  They are handled twice:
 * by a queue and a loop written out here, then by the reactor, whose sel_call_soon()
 * is that queue and whose sel_run() is that loop.  A handler may itself post events;
 * they come after all that were there before.
 *
 * An event belongs to the queue until it is taken out, then to the loop, which frees
 * it once its handler has returned.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"

#include <selkie.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 80, EVENTS_MAX = 1000 };

typedef struct event event;
typedef struct window window;
typedef void event_handler(window *w, const event *e);

struct event {
    event_handler *handler;
    int x, y;
    char key;
    window *window;
    event *next;
};

struct window {
    event *first, **end; /* the queue: *end is where the next one goes */
    sel_selector *sel;   /* NULL: events go into the queue above */
    int handled;
};

static void run_event(sel_selector *sel, void *data)
{
    (void)sel;
    event *e = data;
    e->handler(e->window, e);
    e->window->handled++;
    free(e);
}

static void post(window *w, event what)
{
    event *e = malloc(sizeof *e);
    if (e == NULL)
        fail(EXIT_FAILURE, "no memory for an event");
    *e = what;
    e->window = w;
    e->next = NULL;
    if (w->sel == NULL) {
        *w->end = e;
        w->end = &e->next;
    } else if (sel_call_soon(w->sel, run_event, e) < 0) {
        fail(EXIT_FAILURE, "no memory for an event");
    }
}

static void on_click(window *w, const event *e)
{
    (void)w;
    printf("  on_click: at %d, %d\n", e->x, e->y);
}

static void on_double_click(window *w, const event *e)
{
    printf("  on_double_click: posts two clicks\n");
    for (int i = 0; i < 2; i++)
        post(w, (event){.handler = on_click, .x = e->x, .y = e->y});
}

static void on_key_down(window *w, const event *e)
{
    (void)w;
    printf("  on_key_down: %c\n", e->key);
}

/* The event that a line stands for, or one without a handler. */
static event parse_event(const char *line)
{
    event e = {.handler = NULL};
    char name[8] = "", space[2], rest;
    if (sscanf(line, "key %c %c", &e.key, &rest) == 1)
        e.handler = on_key_down;
    else if (strchr(line, '+') == NULL &&
             sscanf(line, "%7s %4d%1[ \t]%4d %c", name, &e.x, space, &e.y, &rest) == 4) {
        if (strcmp(name, "click") == 0)
            e.handler = on_click;
        if (strcmp(name, "double") == 0)
            e.handler = on_double_click;
    }
    return e;
}

/* Returns how many events there are. */
static int read_events(event *events)
{
    char line[LINE_SIZE];
    int count = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        event e = parse_event(line);
        line[strcspn(line, "\n")] = '\0';
        if (e.handler == NULL)
            fail(EXIT_FAILURE, "no such event: '%s'", line);
        if (count == EVENTS_MAX)
            fail(EXIT_FAILURE, "more than %d events", EVENTS_MAX);
        events[count++] = e;
    }
    return count;
}

/* What sel_run() amounts to without descriptors. */
static void run_queue(window *w)
{
    while (w->first != NULL) {
        event *e = w->first;
        w->first = e->next;
        if (w->first == NULL)
            w->end = &w->first;
        run_event(NULL, e);
    }
}

static void by_hand(const event *events, int count)
{
    window w = {.end = &w.first};
    puts("a queue and a loop by hand");
    for (int i = 0; i < count; i++)
        post(&w, events[i]);
    run_queue(&w);
    printf("  %d events\n", w.handled);
}

static void by_reactor(const event *events, int count)
{
    window w = {.sel = NULL};
    check(sel_open(SEL_BACKEND_DEFAULT, &w.sel), "open a selector");
    puts("the reactor's call_soon");
    for (int i = 0; i < count; i++)
        post(&w, events[i]);
    check(sel_run(w.sel), "wait"); /* until nothing is left to do */
    sel_close(w.sel);
    printf("  %d events\n", w.handled);
}

int main(int argc, char **argv)
{
    static event events[EVENTS_MAX];
    static const command_option options[] = {{.name = NULL}};
    read_command_line(argc, argv,
                      "Handle events from the standard input, one a line:\n"
                      "click X Y, double X Y or key K.",
                      options);
    int count = read_events(events);
    by_hand(events, count);
    by_reactor(events, count);
    flush_stdout();
    return EXIT_SUCCESS;
}
