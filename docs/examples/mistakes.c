/* SPDX-License-Identifier: MIT */
/*
 * Three mistakes that SELKIE_DEBUG=1 reports: a slow callback, a descriptor that is closed
 * while it is registered, and one that stays ready because nobody reads it.
 */
#include <selkie.h>

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Not static, so that the dynamic linker knows their names and debug mode can print them. */
sel_callback slow_cb, forgetful_cb;

void slow_cb(sel_selector *sel, const sel_key *key, int mask)
{
    struct timespec nap = {.tv_nsec = 150000000}; /* in real life, a call that blocks */

    (void)mask;
    nanosleep(&nap, NULL);
    sel_unregister(sel, key->fd);
}

void forgetful_cb(sel_selector *sel, const sel_key *key, int mask)
{
    int *passes = key->data;

    (void)mask;
    if (++*passes == 2000)
        sel_unregister(sel, key->fd);
}

/* Make a pipe with a byte in it. */
static void fill(int ends[2])
{
    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1)
        perror("pipe");
}

int main(void)
{
    sel_selector *sel;
    sel_stats stats;
    int slow[2], unread[2], closed[2], passes = 0;

    fill(slow);
    fill(unread);
    fill(closed);
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        sel_register(sel, slow[0], SEL_EVENT_READ, slow_cb, NULL) < 0 ||
        sel_register(sel, unread[0], SEL_EVENT_READ, forgetful_cb, &passes) < 0 ||
        sel_register(sel, closed[0], SEL_EVENT_READ, NULL, NULL) < 0)
        return 1;
    close(closed[0]);
    for (int i = 0; i < 2000; i++) {
        sel_select(sel, 0, NULL);
        sel_dispatch(sel);
    }
    if (sel_get_stats(sel, &stats, sizeof stats) == 0)
        printf("%d passes\n", (int)stats.passes);
    sel_close(sel);
    close(closed[1]);
    return 0;
}
