/* SPDX-License-Identifier: MIT */
/*
 * Memory that several processes have mapped, and a lock in it.
 *
 * Nothing is sent: what one writes there, all others have.  So they must take turns.
 * docs/twins/shared_memory.py is the same program in Python.
 */
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ADDERS = 4, ADDITIONS = 1000, PRINTERS = 5, LINES = 3 };

/* A page that a fork does not copy, with a lock that works between processes. */
typedef struct {
    pthread_mutex_t lock;
    int counter;
} shared_page;

static shared_page *map_page(void)
{
    shared_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        fail(EXIT_FAILURE, "cannot share memory: %s", strerror(errno));
    pthread_mutexattr_t between_processes;
    pthread_mutexattr_init(&between_processes);
    pthread_mutexattr_setpshared(&between_processes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&page->lock, &between_processes);
    pthread_mutexattr_destroy(&between_processes);
    return page;
}

static void unmap_page(shared_page *page)
{
    pthread_mutex_destroy(&page->lock);
    munmap(page, sizeof *page);
}

static void memory_is_shared(void)
{
    shared_page *page = map_page();
    for (int i = 0; i < ADDERS; i++) {
        if (fork_child() != 0)
            continue;
        for (int k = 0; k < ADDITIONS; k++) {
            pthread_mutex_lock(&page->lock);
            page->counter++; /* read, add, write: three steps that nobody may enter */
            pthread_mutex_unlock(&page->lock);
        }
        _exit(EXIT_SUCCESS);
    }
    wait_for_all(ADDERS);
    printf("memory is shared: %d processes have added %d each: %d\n", ADDERS, ADDITIONS,
           page->counter);
    unmap_page(page);
}

/* Several writes, as a screen gets them from several processes. */
static _Noreturn void print_block(shared_page *page, int screen, int number)
{
    pthread_mutex_lock(&page->lock);
    for (int line = 0; line < LINES; line++)
        send_line(screen, "%d", number);
    pthread_mutex_unlock(&page->lock);
    _exit(EXIT_SUCCESS);
}

static void lock_keeps_together(void)
{
    shared_page *page = map_page();
    int screen[2], together = 0;
    open_pair(SOCK_STREAM, screen);
    for (int number = 1; number <= PRINTERS; number++)
        if (fork_child() == 0)
            print_block(page, screen[1], number);
    close(screen[1]);
    char first[16], line[16];
    while (receive_line(screen[0], first, sizeof first)) {
        int same = 1;
        while (same < LINES && receive_line(screen[0], line, sizeof line) &&
               strcmp(line, first) == 0)
            same++;
        together += same == LINES;
    }
    wait_for_all(PRINTERS);
    close(screen[0]);
    printf("a lock keeps together: %d of %d blocks are whole\n", together, PRINTERS);
    unmap_page(page);
}

int main(int argc, char **argv)
{
    const command_option no_options[] = {{0}};
    read_command_line(argc, argv, "Memory that several processes share, and a lock in it.",
                      no_options);
    memory_is_shared();
    flush_stdout();
    lock_keeps_together();
    flush_stdout();
    return EXIT_SUCCESS;
}
