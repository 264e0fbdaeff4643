/* SPDX-License-Identifier: MIT */
/*
 * A selector across fork(): the child makes it its own with sel_after_fork(), which does
 * not touch the parent's.
 */
#include <selkie.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    char byte;

    (void)mask;
    if (read(key->fd, &byte, 1) == 1)
        printf("%s: read %c\n", (const char *)key->data, byte);
    fflush(stdout);
    sel_unregister(sel, key->fd);
}

static int child(sel_selector *sel, int fd)
{
    printf("child: before: %s\n", sel_strerror(sel_select(sel, 0, NULL)));
    if (sel_after_fork(sel) < 0 ||
        sel_modify(sel, fd, SEL_EVENT_READ, read_cb, "child") < 0)
        return 1;
    sel_run(sel);
    sel_close(sel);
    return 0;
}

int main(void)
{
    sel_selector *sel;
    int ends[2], status;

    if (pipe(ends) < 0 || sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        sel_register(sel, ends[0], SEL_EVENT_READ, read_cb, "parent") < 0 ||
        write(ends[1], "a", 1) != 1)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        return child(sel, ends[0]);

    /* Only one of them reads the byte: the child, because the parent waits for it first. */
    waitpid(pid, &status, 0);
    if (write(ends[1], "b", 1) != 1)
        return 1;
    sel_run(sel);
    sel_close(sel);
    close(ends[0]);
    close(ends[1]);
    return status;
}
