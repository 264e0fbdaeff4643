/* SPDX-License-Identifier: MIT */
/*
 * What a key is, and the family of selectors.
 *
 * A key is a descriptor, the events it is watched for, and the callback and data that
 * belong to it; a selector hands out copies.  All selectors give the same answers and
 * differ only in name, in fileno() and in how large a descriptor they accept.
 * docs/twins/selector_key.py is the same program in Python.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/process.h"

#include <selkie.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGE_DESCRIPTOR = 1500 }; /* more than an fd_set holds */

static const char *event_names(int events)
{
    static const char *const names[] = {"none", "READ", "WRITE", "READ|WRITE"};
    return names[events & (SEL_EVENT_READ | SEL_EVENT_WRITE)];
}

static void print_key(const char *when, sel_selector *sel, int fd)
{
    sel_key key;
    check(sel_get_key(sel, fd, &key), "find the key");
    printf("%s: fd %d, events %s, data '%s'\n", when, key.fd, event_names(key.events),
           (const char *)key.data);
}

static void print_answer(const char *question, int error)
{
    printf("%s: %s\n", question, error < 0 ? "refused" : "taken");
}

static void ready_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    printf("ready: fd %d, mask %s of %s, data '%s'\n", key->fd, event_names(mask),
           event_names(key->events), (const char *)key->data);
}

static void show_key(int fd, int file)
{
    static char first[] = "first", second[] = "second";
    sel_selector *sel;
    check(sel_open(SEL_BACKEND_EPOLL, &sel), "open a selector");
    check(sel_register(sel, fd, SEL_EVENT_READ, ready_cb, first), "register");
    print_key("registered", sel, fd);
    print_answer("registered again", sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    print_answer("events 0", sel_register(sel, file, 0, NULL, NULL));
    print_answer("a file", sel_register(sel, file, SEL_EVENT_READ, NULL, NULL));
    check(sel_modify(sel, fd, SEL_EVENT_READ | SEL_EVENT_WRITE, ready_cb, second),
          "modify");
    print_key("modified", sel, fd);
    printf("keys: %d\n", sel_get_map(sel, NULL, 0));
    check(sel_select(sel, SEL_FOREVER, NULL), "wait");
    check(sel_dispatch(sel), "dispatch");
    check(sel_unregister(sel, fd), "unregister");
    printf("keys: %d\n", sel_get_map(sel, NULL, 0));
    print_answer("unregistered again", sel_unregister(sel, fd));
    sel_close(sel);
}

/* Does this one accept a descriptor that is too large for an fd_set? */
static const char *takes_large(sel_selector *sel, int fd)
{
    int large = fcntl(fd, F_DUPFD_CLOEXEC, LARGE_DESCRIPTOR);
    if (large < 0)
        return "not tried";
    int error = sel_register(sel, large, SEL_EVENT_READ, NULL, NULL);
    if (error == 0)
        sel_unregister(sel, large);
    close(large);
    return error == 0 ? "yes" : error == -ERANGE ? "no" : sel_strerror(error);
}

static void show_backend(sel_backend backend, const char *name, int fd)
{
    sel_selector *sel;
    if (!sel_backend_available(backend)) {
        printf("%s: not here\n", name);
        return;
    }
    check(sel_open(backend, &sel), "open a selector");
    printf("%s: fileno %s, descriptor %d %s\n", sel_backend_name(sel),
           sel_fileno(sel) >= 0 ? "yes" : "no", LARGE_DESCRIPTOR, takes_large(sel, fd));
    sel_close(sel);
}

int main(int argc, char **argv)
{
    const command_option no_options[] = {{0}};
    read_command_line(argc, argv, "What a key is, and the family of selectors.",
                      no_options);
    int ends[2];
    open_pair(SOCK_STREAM, ends);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    show_key(ends[0], file);
    show_backend(SEL_BACKEND_UV, "uv", ends[0]);
    show_backend(SEL_BACKEND_EPOLL, "epoll", ends[0]);
    show_backend(SEL_BACKEND_POLL, "poll", ends[0]);
    show_backend(SEL_BACKEND_SELECT, "select", ends[0]);
    close(file);
    close(ends[0]);
    close(ends[1]);
    flush_stdout();
    return EXIT_SUCCESS;
}
