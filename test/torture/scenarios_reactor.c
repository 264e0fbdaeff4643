/* SPDX-License-Identifier: MIT */
/*
 * What the reactor adds: tasks, timers, signal handlers, the executor, loops of
 * libuv's around the selector and beside it.
 */
#include "world.h"

#include <selkie/uv.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- tasks --- */

typedef struct {
    world *w;
    const char *name;
    int calls;
} task_record;

static void note_task(sel_selector *sel, void *data)
{
    task_record *record = data;

    (void)sel;
    record->calls++;
    note("%s\n", record->name);
}

/* It queues another, for the next pass. */
static void note_and_queue(sel_selector *sel, void *data)
{
    task_record *record = data;
    bool armed = faults_arm(false);

    note_task(sel, record);
    EXPECT(record->w, 0, sel_call_soon(sel, note_task, record));
    faults_arm(armed);
}

static void tasks(world *w)
{
    task_record first = {.w = w, .name = "first"}, second = {.w = w, .name = "second"};

    w->pending = true;
    EXPECT(w, 0, sel_call_soon(w->sel, note_task, &first));
    EXPECT(w, 0, sel_call_soon(w->sel, note_and_queue, &second));
    EXPECT(w, 0, sel_call_soon(w->sel, note_task, &first));
    CHECK(first.calls == 0);
    run_until(w, &second.calls, 2);
    CHECK(first.calls == 2);
    await_nothing(w, 0.001);
    EXPECT(w, 0, sel_call_soon(w->sel, note_task, &first)); /* dropped */
}

static void *post(void *data)
{
    task_record *record = data;

    for (int i = 0; i < 3; i++)
        EXPECT(record->w, 0, sel_call_soon_threadsafe(record->w->sel, note_task, record));
    return NULL;
}

/* Each once and in order; what could not wake the selector waits for the next. */
static void tasks_of_threads(world *w)
{
    task_record record = {.w = w, .name = "posted"};
    pthread_t thread;

    w->pending = true;
    CHECK(pthread_create(&thread, NULL, post, &record) == 0);
    pthread_join(thread, NULL);
    CHECK(record.calls == 0);
    post(&record);
    EXPECT(w, 0, sel_wakeup(w->sel));
    run_until(w, &record.calls, 6);
    EXPECT(w, 0, sel_call_soon_threadsafe(w->sel, note_task, &record)); /* dropped */
}

/* What runs has a number, and is the next. */
typedef struct {
    world *w;
    int calls;
} line;

typedef struct {
    line *in;
    int number;
} place;

static void take_turn(sel_selector *sel, void *data)
{
    place *own = data;

    (void)sel;
    if (own->number != own->in->calls)
        fail_run("number %d ran after %d others", own->number, own->in->calls);
    own->in->calls++;
    note("%d\n", own->number);
}

enum { CROWD = 40 };

static void line_up(world *w, line *all, place *places)
{
    *all = (line){.w = w};
    for (int i = 0; i < CROWD; i++)
        places[i] = (place){.in = all, .number = i};
}

/* So many that room has to be made again and again, then behind one that was posted. */
static void crowds_of_tasks(world *w)
{
    static place places[CROWD];
    line all;

    w->pending = true;
    line_up(w, &all, places);
    for (int i = 0; i < CROWD; i++)
        EXPECT(w, 0, sel_call_soon(w->sel, take_turn, &places[i]));
    run_until(w, &all.calls, CROWD);
    w->pending = true;
    line_up(w, &all, places);
    for (int i = 0; i < CROWD; i++)
        if (i % 10 == 5)
            EXPECT(w, 0, sel_call_soon_threadsafe(w->sel, take_turn, &places[i]));
        else
            EXPECT(w, 0, sel_call_soon(w->sel, take_turn, &places[i]));
    run_until(w, &all.calls, CROWD);
    await_nothing(w, 0.001);
}

/* --- timers --- */

/* In another order than they run; one is rescheduled and one cancelled among the others. */
static void crowds_of_timers(world *w)
{
    static place places[CROWD];
    task_record never = {.w = w, .name = "never"};
    sel_timer moved = {0}, cancelled = {0};
    line all;

    w->pending = true;
    line_up(w, &all, places);
    EXPECT(w, 0, sel_call_later(w->sel, 5, take_turn, &places[CROWD - 1], &moved));
    EXPECT(w, 0, sel_call_every(w->sel, 5, note_task, &never, &cancelled));
    for (int i = 0; i < CROWD - 1; i++) {
        int k = i * 7 % (CROWD - 1);

        EXPECT(w, 0, sel_call_at(w->sel, k * 1e-6, take_turn, &places[k], NULL));
    }
    EXPECT(w, 0, sel_reschedule(w->sel, cancelled, 0));
    EXPECT(w, 0, sel_cancel(w->sel, cancelled));
    EXPECT(w, -ENOENT, sel_reschedule(w->sel, cancelled, 0));
    EXPECT(w, 0, sel_reschedule(w->sel, moved, 0));
    EXPECT(w, 1, sel_is_alive(w->sel));
    run_until(w, &all.calls, CROWD);
    EXPECT(w, 0, sel_is_alive(w->sel));
    await_nothing(w, 0.001);
    CHECK(never.calls == 0);
}

static void timers(world *w)
{
    task_record first = {.w = w, .name = "first"}, second = {.w = w, .name = "second"};
    task_record never = {.w = w, .name = "never"}, every = {.w = w, .name = "tick"};
    sel_timer cancelled = {0}, repeating = {0};

    EXPECT(w, 0, sel_call_later(w->sel, 0, note_task, &first, NULL));
    EXPECT(w, 0, sel_call_later(w->sel, 0.002, note_task, &second, NULL));
    EXPECT(w, 0, sel_call_at(w->sel, sel_time(w->sel) + 5, note_task, &never, &cancelled));
    CHECK(cancelled.id != 0);
    run_until(w, &second.calls, 1);
    CHECK(first.calls == 1);
    EXPECT(w, 0, sel_cancel(w->sel, cancelled));
    EXPECT(w, -ENOENT, sel_cancel(w->sel, cancelled));
    EXPECT(w, 0, sel_call_every(w->sel, 0.001, note_task, &every, &repeating));
    run_until(w, &every.calls, 3);
    EXPECT(w, 0, sel_cancel(w->sel, repeating));
    await_nothing(w, 0.002);
    EXPECT(w, 0, sel_call_later(w->sel, 5, note_task, &never, NULL)); /* dropped */
    CHECK(never.calls == 0);
}

/* Closed keys keep their numbers, which the library's next descriptors get. */
static void numbers_of_closed_keys(world *w)
{
    task_record record = {.w = w, .name = "signal"};
    int fds[12];

    for (int i = 0; i < 12; i++) {
        fds[i] = make_eventfd(w, 0);
        enroll(w, fds[i], READ, NULL);
    }
    for (int i = 0; i < 12; i++)
        shut(w, fds[i]);
    await_nothing(w, 0);
    EXPECT(w, 0, sel_add_signal_handler(w->sel, SIGUSR1, note_task, &record));
    raise(SIGUSR1);
    run_until(w, &record.calls, 1);
    for (int i = 0; i < 12; i++)
        drop(w, fds[i]);
    await_nothing(w, 0.001);
}

/* --- signals --- */

static atomic_int outside;

static void count_outside(int signum)
{
    (void)signum;
    atomic_fetch_add(&outside, 1);
}

static bool is_before(int signum)
{
    struct sigaction now;

    CHECK(sigaction(signum, NULL, &now) == 0);
    return now.sa_handler == count_outside;
}

/*
 * The disposition from before comes back with the end of the last handler, if it
 * could be asked for and set.
 */
static void signals(world *w)
{
    task_record record = {.w = w, .name = "signal"}, other = {.w = w, .name = "other"};
    struct sigaction before = {.sa_handler = count_outside};
    bool is_kept = fault_run->plan.call != SIGACTION_GET &&
                   fault_run->plan.call != SIGACTION_SET;

    CHECK(sigaction(SIGUSR1, &before, NULL) == 0 && sigaction(SIGUSR2, &before, NULL) == 0);
    EXPECT(w, 0, sel_add_signal_handler(w->sel, SIGUSR1, note_task, &record));
    EXPECT(w, 0, sel_add_signal_handler(w->sel, SIGUSR2, note_task, &other));
    raise(SIGUSR1);
    run_until(w, &record.calls, 1);
    EXPECT(w, 0, sel_add_signal_handler(w->sel, SIGUSR1, note_task, &other));
    raise(SIGUSR1);
    run_until(w, &other.calls, 1);
    EXPECT(w, 0, sel_remove_signal_handler(w->sel, SIGUSR1));
    CHECK(!is_kept || is_before(SIGUSR1));
    EXPECT(w, -ENOENT, sel_remove_signal_handler(w->sel, SIGUSR1));
    EXPECT(w, -EINVAL, sel_add_signal_handler(w->sel, SIGKILL, note_task, &record));
    EXPECT(w, 0, sel_add_signal_handler(w->sel, SIGUSR1, note_task, &record));
    raise(SIGUSR1);
    run_until(w, &record.calls, 2);
}

/* --- the executor --- */

typedef struct {
    world *w;
    atomic_int worked;
    int done;
} job_record;

static void work(void *data)
{
    job_record *record = data;

    atomic_fetch_add(&record->worked, 1);
}

static void on_done(sel_selector *sel, void *data, int status)
{
    job_record *record = data;

    (void)sel;
    record->done++;
    note("done\n");
    if (status != 0 && status != -ECANCELED)
        fail_run("a job's status is %d", status);
}

/* The last may be cancelled, and is done all the same. */
static void executor(world *w)
{
    static job_record record, last;

    memset(&record, 0, sizeof record);
    memset(&last, 0, sizeof last);
    for (int i = 0; i < 3; i++)
        EXPECT(w, 0, sel_run_in_executor(w->sel, work, on_done, &record));
    run_until(w, &record.done, 3);
    CHECK(atomic_load(&record.worked) == 3);
    await_nothing(w, 0);
    EXPECT(w, 0, sel_run_in_executor(w->sel, work, on_done, &last));
    EXPECT(w, 0, sel_close(w->sel));
    w->sel = NULL;
    CHECK(last.done == 1);
}

/* --- loops of libuv's --- */

static void on_uv_timer(uv_timer_t *timer)
{
    task_record *record = timer->data;

    note_task(NULL, record);
}

static void own_loop(world *w)
{
    task_record record = {.w = w, .name = "uv's timer"};
    uv_timer_t timer;
    uv_loop_t *loop = NULL;

    for (int i = 0; i < 6 && loop == NULL; i++) {
        long struck = fault_run->struck;

        CALL(loop = sel_loop(w->sel));
        CHECK(loop != NULL || fault_run->struck > struck);
        if (fault_run->struck > 1 && fault_run->plan.times == FOR_EVER)
            faults_pass();
    }
    CHECK(loop != NULL);
    CHECK(uv_timer_init(loop, &timer) == 0);
    timer.data = &record;
    CHECK(uv_timer_start(&timer, on_uv_timer, 1, 0) == 0);
    run_until(w, &record.calls, 1);
    EXPECT(w, 0, sel_close(w->sel));
    w->sel = NULL;
}

static void take_and_count(sel_selector *sel, const sel_key *key, int mask)
{
    bool armed = faults_arm(false);

    count_call(sel, key, mask);
    take_byte(key->fd);
    faults_arm(armed);
}

static void end_turn(uv_timer_t *clock)
{
    (void)clock;
}

/* One turn after the other until it has been called. */
static void turn_until(uv_loop_t *loop, const int *calls, int wanted)
{
    uv_timer_t clock;

    CHECK(uv_timer_init(loop, &clock) == 0);
    uv_timer_start(&clock, end_turn, 1, 1);
    for (int i = 0; i < 500 && *calls < wanted; i++)
        CALL(uv_run(loop, UV_RUN_ONCE));
    uv_close((uv_handle_t *)&clock, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    if (*calls != wanted)
        fail_run("called %d times on a loop, not %d", *calls, wanted);
}

static void attach_and_run(world *w, uv_loop_t *loop)
{
    call_record record = {.name = "attached"};
    task_record timer = {.w = w, .name = "timer"};
    int pair[2];

    EXPECT(w, 0, sel_attach_loop(w->sel, loop));
    w->attached = true;
    EXPECT(w, -EBUSY, sel_select(w->sel, 0, NULL));
    make_pair(w, pair);
    EXPECT(w, 0, sel_register(w->sel, pair[0], READ, take_and_count, &record));
    w->keys[w->count++] = (sel_key){pair[0], READ, take_and_count, &record};
    put_byte(pair[1]);
    if (!faults_lie())
        turn_until(loop, &record.calls, 1);
    EXPECT(w, 0, sel_call_later(w->sel, 0.001, note_task, &timer, NULL));
    turn_until(loop, &timer.calls, 1);
    EXPECT(w, 0, sel_close(w->sel));
    w->sel = NULL;
    w->attached = false;
}

static void attached(world *w)
{
    uv_loop_t loop;

    CHECK(uv_loop_init(&loop) == 0);
    if (w->backend != SEL_BACKEND_POLL && w->backend != SEL_BACKEND_SELECT)
        attach_and_run(w, &loop);
    else
        EXPECT(w, -ENOTSUP, sel_attach_loop(w->sel, &loop));
    CALL(uv_run(&loop, UV_RUN_DEFAULT));
    CHECK(uv_loop_close(&loop) == 0);
}

/* --- running --- */

static void stop_at_three(sel_selector *sel, void *data)
{
    task_record *record = data;

    note_task(sel, record);
    if (record->calls == 3)
        sel_stop(sel);
}

/* sel_run() says what a wait says, and goes on when it is called again. */
static void running(world *w)
{
    task_record record = {.w = w, .name = "tick"};
    int result;

    EXPECT(w, 0, sel_call_every(w->sel, 0.001, stop_at_three, &record, NULL));
    w->pending = true;
    while (record.calls < 3)
        ATTEMPT(w, result, sel_run(w->sel));
    w->pending = false;
    CHECK(record.calls == 3);
}

const scenario reactor_scenarios[] = {
    {"tasks", tasks},
    {"crowds_of_tasks", crowds_of_tasks},
    {"tasks_of_threads", tasks_of_threads},
    {"timers", timers},
    {"crowds_of_timers", crowds_of_timers},
    {"numbers_of_closed_keys", numbers_of_closed_keys},
    {"signals", signals},
    {"executor", executor},
    {"own_loop", own_loop},
    {"attached", attached},
    {"running", running},
    {NULL, NULL},
};
