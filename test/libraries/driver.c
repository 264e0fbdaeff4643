/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void driver_check(const char *what, int error)
{
    if (error == 0)
        return;
    fprintf(stderr, "driver: %s: %s\n", what, error < 0 ? sel_strerror(error) : "failed");
    exit(1);
}

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = -1; /* its own */

    driver_check("/proc/self/fd", directory == NULL ? -errno : 0);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* --- lines --- */

static void obey(driver *self, char *line)
{
    char *word = strtok(line, " "), *id = strtok(NULL, " "), *rest = strtok(NULL, "");

    driver_check("a line has two words", word == NULL || id == NULL);
    self->command(self, atoi(id), word, rest);
}

static void stdin_cb(sel_selector *sel, const sel_key *key, int mask)
{
    driver *self = key->data;
    ssize_t size = read(key->fd, self->buffer + self->size, sizeof self->buffer - self->size);
    char *line = self->buffer, *end;

    (void)mask;
    if (size <= 0) {
        sel_unregister(sel, key->fd);
        self->end(self);
        return;
    }
    self->size += (size_t)size;
    while ((end = memchr(line, '\n', self->size)) != NULL) {
        *end = '\0';
        self->size -= (size_t)(end + 1 - line);
        obey(self, line);
        line = end + 1;
    }
    memmove(self->buffer, line, self->size);
}

/* --- strangers --- */

typedef struct {
    driver *owner;
    int ends[2];
} stranger;

static void stranger_cb(sel_selector *sel, const sel_key *key, int mask)
{
    stranger *self = key->data;
    char byte;

    driver_check("an event of another's", mask != SEL_EVENT_READ);
    driver_check("a stale event", recv(key->fd, &byte, 1, MSG_DONTWAIT) != 1);
    sel_unregister(sel, key->fd);
    self->owner->strangers--;
    close(self->ends[0]);
    close(self->ends[1]);
    free(self);
}

void driver_add_stranger(driver *self)
{
    stranger *added = malloc(sizeof *added);

    driver_check("memory", added == NULL);
    added->owner = self;
    driver_check("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, added->ends));
    driver_check("sel_register", sel_register(self->sel, added->ends[0], SEL_EVENT_READ,
                                              stranger_cb, added));
    driver_check("send", send(added->ends[1], "!", 1, MSG_NOSIGNAL) != 1);
    self->strangers++;
}

/* --- its life --- */

/* libuv and GLib open something for the whole process with the first loop. */
static void warm_up(void)
{
    sel_selector *sel;
    loop *around;

    driver_check("sel_open", sel_open(SEL_BACKEND_DEFAULT, &sel));
    around = loop_open(sel);
    sel_close(sel);
    loop_close(around);
}

void driver_open(driver *self)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    warm_up();
    self->descriptors = count_descriptors();
    driver_check("sel_open", sel_open(SEL_BACKEND_DEFAULT, &self->sel));
    driver_check("stdin", sel_register(self->sel, 0, SEL_EVENT_READ, stdin_cb, self));
}

int driver_run(driver *self)
{
    loop *around = loop_open(self->sel);
    int keys, descriptors;

    loop_run(around);
    keys = sel_get_map(self->sel, NULL, 0);
    sel_close(self->sel);
    loop_close(around);
    descriptors = count_descriptors() - self->descriptors;
    if (keys == 0 && self->strangers == 0 && descriptors == 0)
        return 0;
    fprintf(stderr, "driver: %d keys, %d strangers and %d descriptors are left\n", keys,
            self->strangers, descriptors);
    return 1;
}
