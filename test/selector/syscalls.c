/* SPDX-License-Identifier: MIT */
/*
 * What each call costs in system calls: syscalls.py runs this under strace and counts
 * those between two marks. A mark is a write to descriptor -1, which does nothing and
 * is easy to find. The marks' names are rules in syscalls.py.
 *
 * Usage: syscalls uv|epoll|poll|select
 */
#include <selkie.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, KEYS = 100, CROWD = 3000 };

static void mark(const char *text)
{
    if (write(-1, text, strlen(text)) >= 0)
        abort();
}

#define BETWEEN_MARKS(name, ...)                                               \
    do {                                                                       \
        mark("begin " name);                                                   \
        __VA_ARGS__;                                                           \
        mark("end " name);                                                     \
    } while (0)

/* Ends the program unless the call returned what it must. */
static void expect(int result, int wanted)
{
    if (result == wanted)
        return;
    fprintf(stderr, "a call returned %d and not %d\n", result, wanted);
    exit(EXIT_FAILURE);
}

static void do_nothing(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)key;
    (void)mask;
}

static int make_eventfd(unsigned int value)
{
    int fd = eventfd(value, EFD_CLOEXEC);

    if (fd < 0)
        abort();
    return fd;
}

/* How large a crowd may be: the rules hold for fewer, too. */
static int raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        abort();
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        abort();
    return limit.rlim_max < CROWD + 2 * KEYS ? (int)limit.rlim_max - 2 * KEYS / 5 : CROWD;
}

/* `fd` is registered for READ and WRITE and the kernel knows. */
static void change_key(sel_selector *sel, int fd)
{
    int unregistered = make_eventfd(0);
    sel_key key;

    BETWEEN_MARKS("modify data alone",
                  expect(sel_modify(sel, fd, READ | WRITE, do_nothing, &key), 0));
    BETWEEN_MARKS("modify loses an event",
                  expect(sel_modify(sel, fd, READ, do_nothing, NULL), 0));
    BETWEEN_MARKS("modify pauses", expect(sel_modify(sel, fd, 0, do_nothing, NULL), 0));
    BETWEEN_MARKS("modify gains events",
                  expect(sel_modify(sel, fd, READ | WRITE, do_nothing, NULL), 0));
    BETWEEN_MARKS("wait after an undone change", expect(sel_select(sel, 0, NULL), 1));
    BETWEEN_MARKS("modify with an unknown bit",
                  expect(sel_modify(sel, fd, 8, do_nothing, NULL), -EINVAL));
    BETWEEN_MARKS("modify of an unknown descriptor",
                  expect(sel_modify(sel, unregistered, READ, NULL, NULL), -ENOENT));
    BETWEEN_MARKS("register with no event",
                  expect(sel_register(sel, unregistered, 0, NULL, NULL), -EINVAL));
    BETWEEN_MARKS("register with an unknown bit",
                  expect(sel_register(sel, unregistered, READ | 8, NULL, NULL), -EINVAL));
    BETWEEN_MARKS("register of a negative number",
                  expect(sel_register(sel, -1, READ, NULL, NULL), -EINVAL));
    BETWEEN_MARKS("register twice",
                  expect(sel_register(sel, fd, READ, NULL, NULL), -EEXIST));
    BETWEEN_MARKS("unregister of an unknown descriptor",
                  expect(sel_unregister(sel, unregistered), -ENOENT));
    BETWEEN_MARKS("get_key", expect(sel_get_key(sel, fd, &key), 0));
    BETWEEN_MARKS("get_map", expect(sel_get_map(sel, &key, 1), 1));
    close(unregistered);
}

static void do_nothing_more(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

static void change_reader(sel_selector *sel)
{
    int fd = make_eventfd(1), unread = make_eventfd(0);

    expect(sel_add_reader(sel, fd, do_nothing_more, NULL), 0);
    expect(sel_select(sel, 0, NULL), 2);
    BETWEEN_MARKS("add_writer beside a reader",
                  expect(sel_add_writer(sel, fd, do_nothing_more, NULL), 0));
    BETWEEN_MARKS("add_reader again",
                  expect(sel_add_reader(sel, fd, do_nothing_more, sel), 0));
    BETWEEN_MARKS("wait after a writer was added", expect(sel_select(sel, 0, NULL), 2));
    BETWEEN_MARKS("remove_writer", expect(sel_remove_writer(sel, fd), 0));
    expect(sel_select(sel, 0, NULL), 2);
    BETWEEN_MARKS("add_writer and remove_writer",
                  expect(sel_add_writer(sel, fd, do_nothing_more, NULL), 0);
                  expect(sel_remove_writer(sel, fd), 0));
    BETWEEN_MARKS("wait after an undone writer", expect(sel_select(sel, 0, NULL), 2));
    BETWEEN_MARKS("remove_reader of another's",
                  expect(sel_remove_reader(sel, unread), -ENOENT));
    expect(sel_remove_reader(sel, fd), 0);
    close(fd);
    close(unread);
}

static void wait_and_dispatch(sel_selector *sel)
{
    BETWEEN_MARKS("look", expect(sel_select(sel, 0, NULL), 1));
    BETWEEN_MARKS("look again", expect(sel_select(sel, 0, NULL), 1));
    BETWEEN_MARKS("wait for what is ready",
                  expect(sel_select(sel, SEL_FOREVER, NULL), 1));
    BETWEEN_MARKS("wait with a limit", expect(sel_select(sel, 1, NULL), 1));
    BETWEEN_MARKS("dispatch", expect(sel_dispatch(sel), 1));
    BETWEEN_MARKS("dispatch again", expect(sel_dispatch(sel), 0));
    BETWEEN_MARKS("get_timeout", sel_get_timeout(sel));
    BETWEEN_MARKS("after_fork without a fork", expect(sel_after_fork(sel), 0));
    BETWEEN_MARKS("wakeup", expect(sel_wakeup(sel), 0));
    BETWEEN_MARKS("wakeup again", expect(sel_wakeup(sel), 0));
    BETWEEN_MARKS("wait that was woken", expect(sel_select(sel, SEL_FOREVER, NULL), 1));
}

/* With nothing ready. */
static void let_time_pass(sel_selector *sel)
{
    BETWEEN_MARKS("look at nothing", expect(sel_select(sel, 0, NULL), 0));
    BETWEEN_MARKS("wait of 20 ms", expect(sel_select(sel, 0.02, NULL), 0));
    BETWEEN_MARKS("wait of 0.3 ms", expect(sel_select(sel, 0.0003, NULL), 0));
}

/* What a descriptor costs over its life, each figure for KEYS of them. */
static void price_descriptors(sel_selector *sel)
{
    int fds[KEYS];

    for (int i = 0; i < KEYS; i++)
        fds[i] = make_eventfd(1);
    BETWEEN_MARKS("100 registered and a look",
                  for (int i = 0; i < KEYS; i++)
                      expect(sel_register(sel, fds[i], READ, NULL, NULL), 0);
                  expect(sel_select(sel, 0, NULL), KEYS));
    BETWEEN_MARKS("100 changed and a look",
                  for (int i = 0; i < KEYS; i++)
                      expect(sel_modify(sel, fds[i], WRITE, NULL, NULL), 0);
                  expect(sel_select(sel, 0, NULL), KEYS));
    BETWEEN_MARKS("100 toggled there and back and a look",
                  for (int i = 0; i < KEYS; i++) {
                      expect(sel_modify(sel, fds[i], READ | WRITE, NULL, NULL), 0);
                      expect(sel_modify(sel, fds[i], WRITE, NULL, NULL), 0);
                  }
                  expect(sel_select(sel, 0, NULL), KEYS));
    BETWEEN_MARKS("look at 100", expect(sel_select(sel, 0, NULL), KEYS));
    BETWEEN_MARKS("100 unregistered and a look",
                  for (int i = 0; i < KEYS; i++)
                      expect(sel_unregister(sel, fds[i]), 0);
                  expect(sel_select(sel, 0, NULL), 0));
    BETWEEN_MARKS("100 registered again and a look",
                  for (int i = 0; i < KEYS; i++)
                      expect(sel_register(sel, fds[i], READ, NULL, NULL), 0);
                  expect(sel_select(sel, 0, NULL), KEYS));
    for (int i = 0; i < KEYS; i++)
        expect(sel_unregister(sel, fds[i]), 0);
    expect(sel_select(sel, 0, NULL), 0);
    for (int i = 0; i < KEYS; i++)
        close(fds[i]);
}

/*
 * More than libuv takes from the kernel at a time: it asks again, up to 48 times, for
 * what a callback that only takes note leaves ready.
 */
static void look_at_crowd(sel_selector *sel, int count)
{
    int fds[CROWD];

    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(1);
        expect(sel_register(sel, fds[i], READ, NULL, NULL), 0);
    }
    expect(sel_select(sel, 0, NULL), count);
    BETWEEN_MARKS("look at a crowd", expect(sel_select(sel, 0, NULL), count));
    for (int i = 0; i < count; i++) {
        expect(sel_unregister(sel, fds[i]), 0);
        close(fds[i]);
    }
}

static sel_backend find_backend(const char *name)
{
    static const char *const names[] = {"", "uv", "epoll", "poll", "select"};

    for (int i = SEL_BACKEND_UV; i <= SEL_BACKEND_SELECT; i++)
        if (strcmp(name, names[i]) == 0)
            return (sel_backend)i;
    fprintf(stderr, "no backend %s\n", name);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    sel_backend backend = find_backend(argc == 2 ? argv[1] : "(none given)");
    sel_selector *sel = NULL;
    int fd = make_eventfd(1), crowd;

    if (!sel_backend_available(backend))
        return 77;
    BETWEEN_MARKS("open", expect(sel_open(backend, &sel), 0));
    BETWEEN_MARKS("register",
                  expect(sel_register(sel, fd, READ | WRITE, do_nothing, NULL), 0));
    BETWEEN_MARKS("first look", expect(sel_select(sel, 0, NULL), 1));
    change_key(sel, fd);
    change_reader(sel);
    wait_and_dispatch(sel);
    BETWEEN_MARKS("fileno", sel_fileno(sel));
    BETWEEN_MARKS("fileno again", sel_fileno(sel));
    BETWEEN_MARKS("unregister", expect(sel_unregister(sel, fd), 0));
    BETWEEN_MARKS("look after unregister", expect(sel_select(sel, 0, NULL), 0));
    let_time_pass(sel);
    price_descriptors(sel);
    crowd = raise_descriptor_limit();
    look_at_crowd(sel, backend == SEL_BACKEND_SELECT ? KEYS : crowd);
    BETWEEN_MARKS("close", expect(sel_close(sel), 0));
    close(fd);
    return EXIT_SUCCESS;
}
