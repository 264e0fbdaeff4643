/* SPDX-License-Identifier: MIT */
/*
 * How often the allocator is called: while descriptors are registered, in the
 * first wait, and in each kind of wait after it.
 *
 * malloc(), calloc(), realloc() and free() of this program stand in front of
 * the C library's for everything in the process, libselkie and libuv included.
 * That the count works shows in what registering costs.
 *
 *   bench_allocations READY WAITS
 */
#include "bench.h"

#include <selkie.h>

#include <stdio.h>
#include <stdlib.h>

/* glibc's allocator under its other name, which no header declares. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void __libc_free(void *memory);

static long allocator_calls;

void *malloc(size_t size)
{
    allocator_calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocator_calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocator_calls++;
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    allocator_calls++;
    __libc_free(memory);
}

static void call_nothing(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)key;
    (void)mask;
}

/* Allocator calls in `waits` waits, each of which finds `expected` pairs. */
static long count_in_waits(sel_selector *sel, double timeout, int waits, int expected)
{
    long before = allocator_calls;

    for (int i = 0; i < waits; i++) {
        const sel_ready *ready;
        int found = sel_select(sel, timeout, &ready);

        if (found != expected || sel_dispatch(sel) != expected)
            fail("%s: found %d instead of %d", sel_backend_name(sel), found, expected);
    }
    return allocator_calls - before;
}

static void modify_all(sel_selector *sel, const int *fds, int count, int events)
{
    for (int i = 0; i < count; i++)
        if (sel_modify(sel, fds[i], events, call_nothing, NULL) < 0)
            fail("sel_modify failed");
}

static void register_all(sel_selector *sel, const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        if (sel_register(sel, fds[i], SEL_EVENT_READ, call_nothing, NULL) < 0)
            fail("sel_register failed");
}

/* The descriptors are made after the selector, as in any program that runs. */
static void count_in_backend(sel_backend backend, int ready, int waits)
{
    long before, registering, first, found, timed, nothing, timed_out;
    sel_selector *sel;
    int *fds;

    if (sel_open(backend, &sel) < 0)
        fail("sel_open failed");
    fds = open_ready_descriptors(SOCKETPAIR, ready);
    before = allocator_calls;
    register_all(sel, fds, ready);
    registering = allocator_calls - before;
    first = count_in_waits(sel, SEL_FOREVER, 1, ready);
    found = count_in_waits(sel, SEL_FOREVER, waits, ready);
    timed = count_in_waits(sel, 1.0, waits, ready);

    modify_all(sel, fds, ready, 0);
    nothing = count_in_waits(sel, 0, waits, 0);
    timed_out = count_in_waits(sel, 1e-6, waits, 0);
    printf("{\"contender\": \"selkie/%s\", \"ready\": %d, \"waits\": %d, "
           "\"registering\": %ld, \"first_wait\": %ld, \"forever\": %ld, "
           "\"with_timeout\": %ld, \"nothing_ready\": %ld, \"timed_out\": %ld}\n",
           sel_backend_name(sel), ready, waits, registering, first, found, timed, nothing,
           timed_out);
    sel_close(sel);
    close_descriptors(fds, ready);
}

int main(int argc, char **argv)
{
    static const sel_backend backends[] = {SEL_BACKEND_UV, SEL_BACKEND_EPOLL,
                                           SEL_BACKEND_POLL, SEL_BACKEND_SELECT};
    int ready, waits;

    if (argc != 3)
        fail("usage: bench_allocations READY WAITS");
    ready = parse_count(argv[1], 1);
    waits = parse_count(argv[2], 1);
    for (int i = 0; i < 4; i++)
        count_in_backend(backends[i], ready, waits);
    return EXIT_SUCCESS;
}
