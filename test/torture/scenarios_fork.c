/* SPDX-License-Identifier: MIT */
/*
 * Children: a selector that follows the fork, one that does not, and the parent,
 * which must feel nothing of either.
 */
#include "world.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void child_body(world *w);

static void wait_for_child(pid_t pid)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && fault_run->message[0] != '\0')
        _exit(1);
    if (status != 0)
        fail_run("the child ended with %#x", (unsigned int)status);
}

/* Run it in a child, to its end; then the parent's own keys still tell. */
static void in_child(world *w, child_body *body)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(60);
        w->orphaned = true;
        body(w);
        _exit(0);
    }
    wait_for_child(pid);
}

/*
 * A loop whose uv_loop_fork() failed stays lost; such a selector can only be
 * closed, and what libuv had for the loop is left.
 */
static bool follow(world *w)
{
    if (fault_run->plan.call == UV_LOOP_FORK) {
        int error;

        CALL(error = sel_after_fork(w->sel));
        if (error < 0) {
            CHECK(error == -fault_run->plan.error && fault_run->struck > 0);
            CHECK(sel_get_map(w->sel, NULL, 0) == -ECHILD);
            CALL(error = sel_close(w->sel));
            CHECK(error == 0);
            return false;
        }
    } else {
        EXPECT(w, 0, sel_after_fork(w->sel));
    }
    w->orphaned = false;
    return true;
}

static void close_in_child(world *w)
{
    EXPECT(w, 0, sel_close(w->sel));
    if (fault_live != 0 && fault_run->plan.call != UV_LOOP_FORK)
        fail_run("%ld blocks were left in the child", fault_live);
}

static void look_around(world *w)
{
    if (!follow(w))
        return;
    verify_map(w);
    put_byte(w->beacon[1]);
    await(w, w->beacon[0], READ);
    take_byte(w->beacon[0]);
    EXPECT(w, 0, sel_wakeup(w->sel));
    await_wakeup(w);
    await_nothing(w, 0.001);
    close_in_child(w);
}

static void forked(world *w)
{
    int pair[2];

    make_pair(w, pair);
    enroll(w, pair[0], READ, NULL);
    await_nothing(w, 0);
    in_child(w, look_around);
    put_byte(pair[1]);
    await(w, pair[0], READ);
    take_byte(pair[0]);
    await_nothing(w, 0.001);
}

static void close_only(world *w)
{
    EXPECT(w, -ECHILD, sel_select(w->sel, 0, NULL));
    close_in_child(w);
}

static void note_call(sel_selector *sel, void *data)
{
    int *calls = data;

    (void)sel;
    ++*calls;
}

static int timer_calls, signal_calls, jobs_done;

static void work_nothing(void *unused)
{
    (void)unused;
}

static void note_done(sel_selector *sel, void *unused, int status)
{
    (void)sel;
    (void)unused;
    (void)status;
    jobs_done++;
}

static void use_services(world *w)
{
    if (!follow(w))
        return;
    run_until(w, &timer_calls, 1);
    raise(SIGUSR1);
    run_until(w, &signal_calls, 1);
    close_in_child(w);
}

static void start_services(world *w)
{
    timer_calls = signal_calls = jobs_done = 0;
    CHECK(sel_call_later(w->sel, 0.002, note_call, &timer_calls, NULL) == 0);
    CHECK(sel_add_signal_handler(w->sel, SIGUSR1, note_call, &signal_calls) == 0);
    CHECK(sel_add_signal_handler(w->sel, SIGUSR2, note_call, &signal_calls) == 0);
    CHECK(sel_run_in_executor(w->sel, work_nothing, note_done, NULL) == 0);
    run_until(w, &jobs_done, 1); /* a child has the pool's loop, and no job */
}

static void forked_with_services(world *w)
{
    start_services(w);
    in_child(w, use_services);
    run_until(w, &timer_calls, 1);
    raise(SIGUSR1);
    run_until(w, &signal_calls, 1);
}

static void only_closed_in_child(world *w)
{
    start_services(w);
    in_child(w, close_only);
    run_until(w, &timer_calls, 1);
    raise(SIGUSR1);
    run_until(w, &signal_calls, 1);
}

static bool is_child;

static void fork_in_handler(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    is_child = pid == 0;
    if (!is_child)
        wait_for_child(pid);
}

/* In the child it ends as it must, and sends nothing: that would go to the parent. */
static int select_in_both(world *w)
{
    long written = fault_run->made[EVENTFD_WRITE];
    int error = sel_select(w->sel, 0.02, NULL);

    if (!is_child)
        return error;
    faults_arm(false);
    CHECK(error == -ECHILD && fault_run->made[EVENTFD_WRITE] == written);
    _exit(0);
}

/* The wake-up that the wait has in hand is the parent's. */
static void forked_inside_a_wait(world *w)
{
    EXPECT(w, 0, sel_wakeup(w->sel));
    faults_handler = fork_in_handler;
    w->pending = true;
    EXPECT(w, 0, select_in_both(w));
    w->pending = false;
    faults_handler = NULL;
    await_nothing(w, 0.001);
}

static uv_loop_t loop; /* that the selector is attached to */

static void look_around_attached(world *w)
{
    if (!follow(w))
        return;
    CHECK(uv_loop_fork(&loop) == 0);
    verify_map(w);
    EXPECT(w, 0, sel_close(w->sel));
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    if (fault_live != 0 && fault_run->plan.call != UV_LOOP_FORK)
        fail_run("%ld blocks were left in the child", fault_live);
}

static void forked_while_attached(world *w)
{
    if (w->backend == SEL_BACKEND_POLL || w->backend == SEL_BACKEND_SELECT)
        return;
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(sel_attach_loop(w->sel, &loop) == 0);
    w->attached = true;
    in_child(w, look_around_attached);
    EXPECT(w, 0, sel_close(w->sel));
    w->sel = NULL;
    w->attached = false;
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

static int fds[1050];

static void look_at_many(world *w)
{
    if (!follow(w))
        return;
    verify_map(w);
    await(w, fds[899], READ);
    close_in_child(w);
}

/* More than libuv takes at a time: on uv there are two sets more to follow with. */
static void forked_with_many(world *w)
{
    int count = w->backend == SEL_BACKEND_SELECT ? 900 : 1050;

    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(w, i == 899);
        CHECK(sel_register(w->sel, fds[i], READ, NULL, NULL) == 0);
        w->keys[w->count++] = (sel_key){.fd = fds[i], .events = READ};
    }
    in_child(w, look_at_many);
    await(w, fds[899], READ);
}

const scenario fork_scenarios[] = {
    {"forked", forked},
    {"forked_with_services", forked_with_services},
    {"only_closed_in_child", only_closed_in_child},
    {"forked_inside_a_wait", forked_inside_a_wait},
    {"forked_while_attached", forked_while_attached},
    {"forked_with_many", forked_with_many},
    {NULL, NULL},
};
