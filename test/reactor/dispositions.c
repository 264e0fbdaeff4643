/* SPDX-License-Identifier: MIT */
/*
 * Whose a signal is: threads that add and remove handlers at once, handlers that the
 * program and other libraries have for the same signal, and what is left afterwards.
 */
#include "support/dispositions.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static void assert_disposition(int signum, const struct sigaction *expected)
{
    struct sigaction now = disposition_of(signum);

    assert_same(&now, expected);
}

/* --- threads --- */

typedef struct {
    int backend, signum, rounds;
    sel_selector *sel;
} worker;

static void *add_and_remove(void *data)
{
    worker *self = data;
    sel_selector *sel = open_selector(self->backend);

    for (int i = 0; i < self->rounds; i++) {
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
        assert_ok(sel_add_signal_handler(sel, self->signum, never, NULL));
        if (i % 3 == 0)
            assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
        assert_ok(sel_remove_signal_handler(sel, self->signum));
        ck_assert_int_eq(pass(sel), 0); /* frees what was removed */
    }
    assert_ok(sel_close(sel));
    return NULL;
}

/*
 * Adding a handler in one thread used to walk the handlers of all selectors, while
 * their own threads wrote and freed them. Only ASan or TSan can see it.
 */
START_TEST(threads_add_and_remove_handlers_at_once)
{
    static const int signums[] = {SIGUSR2, SIGHUP, SIGWINCH, SIGUSR2};
    enum { THREADS = 4 };
    worker workers[THREADS];
    pthread_t threads[THREADS];
    struct sigaction shared = install(SIGUSR1, IGNORED), own = install(SIGUSR2, HANDLED);

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.backend = _i, .signum = signums[i], .rounds = 100};
        start_thread(&threads[i], add_and_remove, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    assert_disposition(SIGUSR1, &shared);
    assert_disposition(SIGUSR2, &own);
}
END_TEST

static void *add_and_remove_until_cancelled(void *data)
{
    worker *self = data;

    /*
     * No ck_assert() here: it allocates, and a thread cancelled in it keeps the
     * allocator's lock.
     */
    while (sel_add_signal_handler(self->sel, SIGUSR1, never, NULL) == 0 &&
           sel_remove_signal_handler(self->sel, SIGUSR1) == 0)
        pthread_testcancel();
    return NULL;
}

/*
 * libuv reads and writes a pipe there, which are cancellation points: the thread kept
 * the lock.
 */
START_TEST(a_thread_that_is_cancelled_keeps_no_lock)
{
    sel_selector *other = open_selector(_i);

    for (int round = 0; round < 20; round++) {
        worker self = {.sel = open_selector(_i)};
        pthread_t thread;
        void *result;

        assert_ok(sel_add_signal_handler(self.sel, SIGUSR2, never, NULL));
        start_thread(&thread, add_and_remove_until_cancelled, &self);
        for (int i = 0; i < 20; i++) { /* it is in there meanwhile */
            assert_ok(sel_add_signal_handler(other, SIGUSR1, never, NULL));
            assert_ok(sel_remove_signal_handler(other, SIGUSR1));
        }
        ck_assert_int_eq(pthread_cancel(thread), 0);
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
        assert_ok(sel_add_signal_handler(other, SIGUSR1, never, NULL));
        assert_ok(sel_remove_signal_handler(other, SIGUSR1));
        assert_ok(sel_close(self.sel));
    }
    assert_ok(sel_close(other));
}
END_TEST

/* --- a storm --- */

enum { STORM_ROUNDS = 300 };

/*
 * If each has a processor of its own, a thread that is sent signals without pause does
 * nothing else.
 */
static void draw_breath(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000}, NULL);
}

static _Noreturn void storm_at(pid_t target)
{
    for (;;) {
        if (kill(target, SIGUSR1) != 0)
            _exit(0);
        draw_breath();
    }
}

static void *storm(void *over)
{
    while (!atomic_load((atomic_bool *)over)) {
        kill(getpid(), SIGUSR1);
        draw_breath();
    }
    return NULL;
}

/* In the child, which a signal with the default disposition would end. */
static _Noreturn void weather(int backend, int kind, bool from_outside)
{
    struct sigaction before = install(SIGUSR1, kind);
    sel_selector *sel = open_selector(backend);
    pid_t self = getpid(), other = from_outside ? fork() : 0;
    atomic_bool over = false;
    pthread_t thread;

    if (from_outside && other == 0)
        storm_at(self);
    if (!from_outside)
        start_thread(&thread, storm, &over);
    for (int i = 0; i < STORM_ROUNDS; i++) {
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, ""));
        pass(sel);
        assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
        assert_disposition(SIGUSR1, &before);
    }
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, ""));
    assert_ok(sel_close(sel));
    if (from_outside) {
        kill(other, SIGKILL);
        ck_assert_int_eq(waitpid(other, NULL, 0), other);
    } else {
        atomic_store(&over, true);
        join_thread(thread);
    }
    assert_disposition(SIGUSR1, &before);
    _exit(0);
}

static void assert_weathered(int backend, int kind, bool from_outside)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        weather(backend, kind, from_outside);
    assert_child_succeeds(pid);
}

/*
 * libuv sets SIG_DFL when its last handle stops. A signal that arrived before the old
 * disposition was restored ended a process that ignored it.
 */
START_TEST(a_storm_of_signals_finds_no_gap_when_the_last_handler_goes)
{
    for (int kind = IGNORED; kind < KINDS; kind++)
        assert_weathered(_i, kind, true);
}
END_TEST

/* A thread that does not add or remove handlers would get the signal in the gap. */
START_TEST(nor_does_a_storm_that_another_thread_gets)
{
    if (is_instrumented()) /* no other process can share our memory there */
        return;
    for (int kind = IGNORED; kind < KINDS; kind++)
        assert_weathered(_i, kind, false);
}
END_TEST

/* --- whose handler is it? --- */

/* Another copy of this library in the process, or all NULL. */
static struct {
    void *library;
    int (*open)(sel_backend backend, sel_selector **ret_sel);
    int (*close)(sel_selector *sel);
    int (*add)(sel_selector *sel, int signum, sel_task *task, void *data);
    int (*remove)(sel_selector *sel, int signum);
    int (*select)(sel_selector *sel, double timeout, const sel_ready **ret_ready);
    int (*dispatch)(sel_selector *sel);
} copy;

static void find(const char *name, void *ret_function)
{
    void *found = dlsym(copy.library, name);

    ck_assert_ptr_nonnull(found);
    memcpy(ret_function, &found, sizeof found);
}

static void copy_file(const char *from, int to)
{
    int fd = open_closed_on_exec(from);
    char bytes[4096];
    ssize_t length;

    while ((length = read(fd, bytes, sizeof bytes)) > 0)
        ck_assert_int_eq(write(to, bytes, (size_t)length), length);
    close(fd);
}

/* To the dynamic linker, a file with another name is another library. */
static void load_copy(void)
{
    union {
        int (*function)(sel_backend backend, sel_selector **ret_sel);
        void *address;
    } it = {.function = sel_open};
    char path[] = "/tmp/selkie-copy-XXXXXX";
    Dl_info info;
    int fd;

    ck_assert_int_ne(dladdr(it.address, &info), 0);
    if (strstr(info.dli_fname, ".so") == NULL)
        return; /* a static library: there is no file to load */
    fd = mkostemp(path, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    copy_file(info.dli_fname, fd);
    close(fd);
    copy.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    ck_assert_msg(copy.library != NULL, "%s", dlerror());
    find("sel_open", &copy.open);
    find("sel_close", &copy.close);
    find("sel_add_signal_handler", &copy.add);
    find("sel_remove_signal_handler", &copy.remove);
    find("sel_select", &copy.select);
    find("sel_dispatch", &copy.dispatch);
    ck_assert(copy.open != sel_open);
}

enum { OURS, PROGRAMS, COPYS, ALL };

/* Everyone with a handler for SIGUSR1, and how often each was called. */
typedef struct {
    sel_selector *sel, *copys;
    uv_loop_t loop;
    uv_signal_t handle;
    int told[ALL];
    bool started[ALL];
} party;

static void note_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    ++*(int *)handle->data;
}

static void open_party(party *all, int backend)
{
    memset(all, 0, sizeof *all);
    all->sel = open_selector(backend);
    assert_ok(uv_loop_init(&all->loop));
    assert_ok(uv_signal_init(&all->loop, &all->handle));
    all->handle.data = &all->told[PROGRAMS];
    if (copy.library != NULL)
        assert_ok(copy.open(backend_at(backend), &all->copys));
}

static void close_party(party *all)
{
    assert_ok(sel_close(all->sel));
    uv_close((uv_handle_t *)&all->handle, NULL);
    uv_run(&all->loop, UV_RUN_DEFAULT);
    assert_ok(uv_loop_close(&all->loop));
    if (copy.library != NULL)
        assert_ok(copy.close(all->copys));
}

static void start(party *all, int who)
{
    if (who == OURS)
        assert_ok(sel_add_signal_handler(all->sel, SIGUSR1, count_task, &all->told[OURS]));
    else if (who == PROGRAMS)
        assert_ok(uv_signal_start(&all->handle, note_signal, SIGUSR1));
    else
        assert_ok(copy.add(all->copys, SIGUSR1, count_task, &all->told[COPYS]));
    all->started[who] = true;
}

static void end(party *all, int who)
{
    if (who == OURS)
        assert_ok(sel_remove_signal_handler(all->sel, SIGUSR1));
    else if (who == PROGRAMS)
        assert_ok(uv_signal_stop(&all->handle));
    else
        assert_ok(copy.remove(all->copys, SIGUSR1));
    all->started[who] = false;
}

/* Everyone who has a handler is called, and nobody else. */
static void assert_told(party *all)
{
    raise(SIGUSR1);
    if (all->started[OURS])
        ck_assert_int_eq(wait_and_pass(all->sel), 1);
    uv_run(&all->loop, UV_RUN_NOWAIT);
    if (all->started[COPYS]) {
        ck_assert_int_eq(copy.select(all->copys, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(copy.dispatch(all->copys), 1);
    }
    for (int who = 0; who < ALL; who++) {
        ck_assert_int_eq(all->told[who], all->started[who]);
        all->told[who] = 0;
    }
}

/* Those who take part, in the n-th permutation. */
static int order(int n, int people, int ret_order[ALL])
{
    int left[ALL] = {OURS, PROGRAMS, COPYS};

    for (int i = 0; i < people; i++) {
        int which = n % (people - i);

        n /= people - i;
        ret_order[i] = left[which];
        memmove(&left[which], &left[which + 1], (size_t)(ALL - 1 - which) * sizeof left[0]);
    }
    return n;
}

/*
 * The program's handle may be stopped before ours: what we had taken for the earlier
 * disposition was then libuv's dead handler, and SIGTERM no longer ended the process.
 * Whoever comes first knows what was there; if others of libuv's handles outlive it,
 * libuv leaves SIG_DFL.
 */
static void come_and_go(int backend, int kind, const int come[ALL], const int go[ALL],
                        int people)
{
    struct sigaction before = install(SIGUSR1, kind);
    party all;

    open_party(&all, backend);
    for (int i = 0; i < people; i++) {
        start(&all, come[i]);
        assert_told(&all);
    }
    for (int i = 0; i < people; i++) {
        end(&all, go[i]);
        if (i < people - 1)
            assert_told(&all);
    }
    if (come[0] == PROGRAMS || come[0] != go[people - 1]) {
        struct sigaction now = disposition_of(SIGUSR1);

        ck_assert(now.sa_handler == SIG_DFL);
    } else {
        assert_disposition(SIGUSR1, &before);
    }
    close_party(&all);
}

START_TEST(handlers_come_and_go_beside_the_programs_and_another_copys)
{
    int people = copy.library != NULL ? ALL : ALL - 1;
    int orders = people == ALL ? 6 : 2;

    for (int i = 0; i < orders * orders * KINDS; i++) {
        int come[ALL], go[ALL], kind = order(order(i, people, come), people, go);

        come_and_go(_i, kind, come, go, people);
    }
}
END_TEST

START_TEST(what_the_program_sets_meanwhile_stays)
{
    for (int round = 0; round < KINDS * KINDS * 2; round++) {
        sel_selector *sel = open_selector(_i);
        struct sigaction since;

        install(SIGUSR1, round % KINDS);
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
        since = install(SIGUSR1, round / KINDS % KINDS);
        if (round < KINDS * KINDS)
            assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
        assert_ok(sel_close(sel));
        assert_disposition(SIGUSR1, &since);
    }
}
END_TEST

/* The library may have needed a process for it. */
START_TEST(a_disposition_that_comes_back_leaves_no_process_behind)
{
    sel_selector *sel = open_selector(_i);

    install(SIGUSR1, IGNORED);
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    assert_ok(sel_close(sel));
}
END_TEST

/* The child's libuv has a handle for the signal that is not ours, and its own handler. */
START_TEST(a_child_hears_its_signals_beside_a_handle_of_the_programs)
{
    party all;
    pid_t pid;

    install(SIGUSR1, IGNORED);
    open_party(&all, _i);
    start(&all, OURS);
    start(&all, PROGRAMS);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(uv_loop_fork(&all.loop));
        assert_ok(sel_after_fork(all.sel));
        assert_told(&all);
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_told(&all);
    close_party(&all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispositions");
    TCase *tcase = new_tcase("dispositions");

    tcase_add_unchecked_fixture(tcase, load_copy, NULL);
    add_backend_test(tcase, threads_add_and_remove_handlers_at_once);
    add_backend_test(tcase, a_thread_that_is_cancelled_keeps_no_lock);
    add_backend_test(tcase, a_storm_of_signals_finds_no_gap_when_the_last_handler_goes);
    add_backend_test(tcase, nor_does_a_storm_that_another_thread_gets);
    add_backend_test(tcase, handlers_come_and_go_beside_the_programs_and_another_copys);
    add_backend_test(tcase, what_the_program_sets_meanwhile_stays);
    add_backend_test(tcase, a_disposition_that_comes_back_leaves_no_process_behind);
    add_backend_test(tcase, a_child_hears_its_signals_beside_a_handle_of_the_programs);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
