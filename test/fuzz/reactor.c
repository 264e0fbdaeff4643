/* SPDX-License-Identifier: MIT */
/*
 * The reactor: three bytes of the input make, take back or wait for something that it
 * calls.  What is called does another operation of the same input.
 *
 * The first byte chooses the backend.  Delays are a few milliseconds, and so are all
 * waits together.
 */
#include "fuzz.h"
#include "reactor_operations.h"

#include <selkie/uv.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MOST_STEPS = 64, MOST_WAITS = 3, MOST_HANDLES = 3 };

/* A handle of the program's: its memory goes in its close callback, or at the end. */
typedef struct {
    uv_timer_t *timer;
    bool closing;
} handle;

static operation program[MOST_STEPS];
static int length, waits;
static handle handles[MOST_HANDLES];
static bool shares_loop; /* the selector gave its loop out */
int always_ready;

const void *choose_then(const operation *op)
{
    return &program[((int)(op - program) + 1 + (op->argument >> 4)) % length];
}

static void on_closed(uv_handle_t *closed)
{
    for (int i = 0; i < MOST_HANDLES; i++)
        if (handles[i].timer == (uv_timer_t *)closed)
            handles[i].timer = NULL;
    free(closed);
}

static void close_handle(handle *closed)
{
    if (closed->timer == NULL || closed->closing)
        return;
    closed->closing = true;
    uv_close((uv_handle_t *)closed->timer, on_closed);
}

static void on_handle(uv_timer_t *timer)
{
    const operation *then = timer->data;

    if (!model.dispatching)
        broken("a handle was called outside a dispatch");
    for (int i = 0; i < MOST_HANDLES; i++)
        if (handles[i].timer == timer)
            close_handle(&handles[i]);
    model.work(then);
}

static void do_handle(const operation *op)
{
    handle *chosen = &handles[op->which % MOST_HANDLES];
    struct uv_loop_s *loop = sel_loop(model.sel);

    shares_loop |= loop != NULL;
    if (loop == NULL || chosen->timer != NULL) {
        close_handle(chosen);
        return;
    }
    chosen->timer = malloc(sizeof *chosen->timer);
    chosen->closing = false;
    if (chosen->timer == NULL)
        return;
    uv_timer_init(loop, chosen->timer);
    chosen->timer->data = (void *)(uintptr_t)choose_then(op);
    uv_timer_start(chosen->timer, on_handle, op->argument % 3, 0);
}

/*
 * A loop that the program shares is run by dispatch alone, so what ends the wait
 * may be something that only libuv has to do there.
 */
static int select_for(double timeout)
{
    double begin = read_clock();
    bool idle = !is_anything_pending() && !model.woken && !shares_loop;
    int count = sel_select(model.sel, timeout, NULL);

    if (idle && read_clock() - begin < timeout)
        broken("a wait of %g s was over after %g", timeout, read_clock() - begin);
    model.woken = false;
    return count;
}

static void dispatch(void)
{
    int called;

    model.dispatching = true;
    model.dispatches++;
    model.calls = 0;
    called = sel_dispatch(model.sel);
    model.dispatching = false;
    expect("dispatch", called, model.calls);
}

static void do_select(const operation *op)
{
    bool wait = op->argument % 4 == 0 && waits < MOST_WAITS;
    int most = 1; /* pairs: there is one key */

    if (model.dispatching) {
        expect("select in a callback", sel_select(model.sel, 0, NULL), -EBUSY);
        return;
    }
    waits += wait;
    if (select_for(wait ? op->which % 4 * 0.5e-3 : 0) > most)
        broken("more pairs than keys");
}

static void do_dispatch(const operation *op)
{
    (void)op;
    if (model.dispatching)
        expect("dispatch in a callback", sel_dispatch(model.sel), -EBUSY);
    else
        dispatch();
}

static void do_pass(const operation *op)
{
    moment begin = begin_pass();

    do_select(op);
    do_dispatch(op);
    if (!model.dispatching)
        check_pass(&begin);
}

/* Handlers keep it going for ever. */
static void take_handlers(void)
{
    for (uint8_t i = 0; i < SIGNALS; i++)
        if (model.signals[i].handler != NO_ITEM)
            do_remove_signal(&(operation){.which = i});
}

static void do_run(const operation *op)
{
    moment begin = begin_pass();
    bool stopped_before = model.stopped;

    if (model.dispatching) {
        expect("run in a callback", sel_run(model.sel), -EBUSY);
        return;
    }
    if (!stopped_before && waits++ >= MOST_WAITS)
        do_stop(op);
    stopped_before = model.stopped;
    if (!stopped_before)
        take_handlers();
    tell_step("run");
    model.dispatching = model.running = true;
    model.dispatches++;
    expect("run", sel_run(model.sel), 0);
    model.dispatching = model.running = false;
    if (stopped_before)
        expect("the passes of a stopped run", (int)(count_passes() - begin.pass), 1);
    else if (!model.stopped && is_anything_pending())
        broken("sel_run() returned too early");
    else if (!model.stopped)
        expect("is_alive after a run", sel_is_alive(model.sel), 0);
    model.stopped = false;
    model.woken = true; /* by a callback of the last pass, maybe */
    check_pass(&begin);
}

static void free_handles(void)
{
    for (int i = 0; i < MOST_HANDLES; i++)
        free(handles[i].timer);
    for (int i = 0; i < MOST_HANDLES; i++)
        handles[i] = (handle){0};
}

static sel_backend backend;

static void work(const void *then);

static void do_replace(const operation *op)
{
    (void)op;
    if (model.dispatching) {
        expect("close in a callback", sel_close(model.sel), -EBUSY);
        return;
    }
    tell_step("close");
    close_model();
    free_handles();
    open_model(backend, work);
}

/* Some stand in it more than once, to be chosen more often. */
static operate *const operations[] = {
    do_soon,       do_soon,     do_post,   do_later,      do_later,         do_later,
    do_at,         do_every,    do_cancel, do_cancel,     do_add_signal,    do_raise,
    do_raise,      do_job,      do_job,    do_remove_signal, do_register,   do_unregister,
    do_handle,     do_wakeup,   do_stop,   do_wrong,      do_select,        do_dispatch,
    do_pass,       do_pass,     do_pass,   do_run,        do_run,           do_replace,
    do_reschedule, do_reschedule,
};

enum { OPERATIONS = (int)(sizeof operations / sizeof operations[0]) };

/* Inside sel_close() there is nobody left to do anything. */
static void work_while_closing(void)
{
    sel_selector *sel = model.sel;

    expect("run_in_executor while closing",
           sel_run_in_executor(sel, run_work, run_done, NULL), -ECANCELED);
    expect("close while closing", sel_close(sel), -EBUSY);
    expect("dispatch while closing", sel_dispatch(sel), -EBUSY);
    expect("call_soon while closing", sel_call_soon(sel, run_task, NULL), 0);
}

static void work(const void *then)
{
    const operation *op = then;

    if (model.closing)
        work_while_closing();
    else
        operations[op->code % OPERATIONS](op);
}

static void read_program(fuzz_input *input)
{
    for (length = 0; length < MOST_STEPS && bytes_left(input) >= 3; length++) {
        operation *op = &program[length];

        op->code = (uint8_t)take_byte(input);
        op->which = (uint8_t)take_byte(input);
        op->argument = (uint8_t)take_byte(input);
    }
}

static void nothing(void *data)
{
    (void)data;
}

/* The pool's threads and what libuv makes once are made here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    sel_selector *sel = NULL;
    sigset_t none;

    (void)argc;
    (void)argv;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* a careless parent leaves its own */
    warm_up();
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) != 0 ||
        sel_run_in_executor(sel, nothing, NULL, NULL) != 0 || sel_run(sel) != 0)
        broken("no selector");
    sel_close(sel);
    always_ready = must(eventfd(1, EFD_CLOEXEC), "eventfd");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, bytes + size};
    int descriptors = count_descriptors();

    backend = (sel_backend)(SEL_BACKEND_UV + take_byte(&input) % count_backends());
    waits = 0;
    shares_loop = false;
    read_program(&input);
    open_model(backend, work);
    for (int i = 0; i < length; i++) {
        operations[program[i].code % OPERATIONS](&program[i]);
        check_statistics();
        check_timeout();
        check_alive();
    }
    close_model();
    free_handles();
    check_descriptors(descriptors);
    return 0;
}
