/* SPDX-License-Identifier: MIT */
/*
 * Threads, each with selectors of its own that it opens and closes, beside threads that
 * wake them and post to them, while signals come and jobs run.
 *
 *   threads          one thread at a time uses a selector; sel_wakeup() and
 *                    sel_call_soon_threadsafe() come from any, sel_wakeup() from signal
 *                    handlers, too
 *   threadsafe       each task runs exactly once, one thread's in their order, on the
 *                    thread that dispatches
 *   sel_wakeup       ends the current or else the next wait, though it has no end
 *   signal handlers  several selectors, each on its own thread, may watch one signal:
 *                    every one of them is told, by a task in sel_dispatch(); the
 *                    disposition that was there before comes back with the last
 *   executor         `done` exactly once, on the selector's thread, at the latest in
 *                    sel_close(), with status 0 if and only if the work ran
 */
#include "stranger.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { OWNERS = 3, POSTERS = 3, POSTS = 200, JOBS = 20, LIVES = 3 };

struct owner;

/* A task of a poster's, which carries its number. */
struct post {
    struct poster *poster;
    int number;
};

struct poster {
    struct owner *owner;
    pthread_t thread;
    uint64_t seed;
    struct post posts[POSTS];
    int called;
};

struct job {
    struct owner *owner;
    bool has_run, is_done;
};

struct owner {
    sel_backend backend;
    sel_selector *sel;
    pthread_t thread;
    uint64_t seed;
    struct poster posters[POSTERS];
    struct job jobs[JOBS];
    int posts_called, jobs_done, signals;
    atomic_bool is_closing;
};

static void check_thread(struct owner *owner, sel_selector *sel)
{
    CHECK(pthread_equal(owner->thread, pthread_self()));
    CHECK(sel == owner->sel);
}

/* Posters. */

static void run_post(sel_selector *sel, void *data)
{
    const struct post *post = data;
    check_thread(post->poster->owner, sel);
    CHECK_IS(post->number, post->poster->called++);
    post->poster->owner->posts_called++;
}

static void *post_all(void *data)
{
    struct poster *poster = data;
    for (int i = 0; i < POSTS; i++) {
        if (pick_from(&poster->seed, 3) == 0)
            CHECK_IS(sel_wakeup(poster->owner->sel), 0);
        poster->posts[i] = (struct post){poster, i};
        CHECK_IS(sel_call_soon_threadsafe(poster->owner->sel, run_post,
                                          &poster->posts[i]),
                 0);
        if (pick_from(&poster->seed, 10) == 0)
            sched_yield();
    }
    return NULL;
}

/* Jobs. */

static void work(void *data)
{
    struct job *job = data;
    CHECK(!job->has_run);
    CHECK(!pthread_equal(job->owner->thread, pthread_self()));
    job->has_run = true;
    CHECK_IS(sel_wakeup(job->owner->sel), 0);
}

static void work_done(sel_selector *sel, void *data, int status)
{
    struct job *job = data;
    check_thread(job->owner, sel);
    CHECK(!job->is_done);
    CHECK_IS(status, job->has_run ? 0 : -ECANCELED);
    CHECK(status == 0 || atomic_load(&job->owner->is_closing));
    job->is_done = true;
    job->owner->jobs_done++;
}

static void start_jobs(struct owner *owner)
{
    for (int i = 0; i < JOBS; i++) {
        owner->jobs[i] = (struct job){.owner = owner};
        CHECK_IS(sel_run_in_executor(owner->sel, work, work_done, &owner->jobs[i]), 0);
    }
}

/* Signals. */

static void on_signal(sel_selector *sel, void *data)
{
    struct owner *owner = data;
    check_thread(owner, sel);
    owner->signals++;
}

/* Handlers come and go on several threads at once; one that is there is told. */
static void use_signals(struct owner *owner)
{
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP};
    for (int i = 0; i < 10; i++) {
        int signum = signals[pick_from(&owner->seed, 3)], before = owner->signals;
        CHECK_IS(sel_add_signal_handler(owner->sel, signum, on_signal, owner), 0);
        CHECK_IS(kill(getpid(), signum), 0);
        while (owner->signals == before) {
            CHECK(sel_select(owner->sel, SEL_FOREVER, NULL) >= 0);
            CHECK(sel_dispatch(owner->sel) >= 0);
        }
        CHECK_IS(sel_remove_signal_handler(owner->sel, signum), 0);
        CHECK_IS(sel_remove_signal_handler(owner->sel, signum), -ENOENT);
    }
}

/* Owners. */

static void live(struct owner *owner)
{
    CHECK_IS(sel_open(owner->backend, &owner->sel), 0);
    atomic_store(&owner->is_closing, false);
    owner->posts_called = owner->jobs_done = 0;
    for (int i = 0; i < POSTERS; i++) {
        struct poster *poster = &owner->posters[i];
        *poster = (struct poster){.owner = owner, .seed = owner->seed + (unsigned)i};
        CHECK_IS(pthread_create(&poster->thread, NULL, post_all, poster), 0);
    }
    start_jobs(owner);
    use_signals(owner);
    while (owner->posts_called < POSTERS * POSTS) {
        CHECK(sel_select(owner->sel, SEL_FOREVER, NULL) >= 0);
        CHECK(sel_dispatch(owner->sel) >= 0);
    }
    for (int i = 0; i < POSTERS; i++) {
        CHECK_IS(pthread_join(owner->posters[i].thread, NULL), 0);
        CHECK_IS(owner->posters[i].called, POSTS);
    }
    atomic_store(&owner->is_closing, true);
    CHECK_IS(sel_close(owner->sel), 0);
    CHECK_IS(owner->jobs_done, JOBS);
}

static void *own(void *data)
{
    struct owner *owner = data;
    owner->thread = pthread_self();
    for (int i = 0; i < LIVES; i++)
        live(owner);
    return NULL;
}

static void ignore_signal(int signum)
{
    (void)signum;
}

static void threads(sel_backend backend)
{
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP};
    static struct owner owners[OWNERS];
    pthread_t started[OWNERS];
    struct sigaction mine = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART}, now;

    for (int i = 0; i < 3; i++)
        CHECK_IS(sigaction(signals[i], &mine, NULL), 0);
    for (int i = 0; i < OWNERS; i++) {
        owners[i] = (struct owner){.backend = i == 0 ? backend : pick_backend(),
                                   .seed = pick(1000000)};
    }
    for (int i = 0; i < OWNERS; i++)
        CHECK_IS(pthread_create(&started[i], NULL, own, &owners[i]), 0);
    for (int i = 0; i < OWNERS; i++)
        CHECK_IS(pthread_join(started[i], NULL), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_IS(sigaction(signals[i], NULL, &now), 0);
        CHECK(now.sa_handler == ignore_signal);
    }
}

int main(int argc, char **argv)
{
    stranger_warm_up();
    return stranger_main(argc, argv, 3, threads);
}
