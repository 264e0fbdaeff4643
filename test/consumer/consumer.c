/* SPDX-License-Identifier: MIT */
/*
 * A user's program: a byte through a pipe calls its callback, once.  Exits with
 * 0 if it did, and if library and headers are the same version.
 */
#include <selkie.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    int *bytes = key->data;
    char byte;

    if (mask == SEL_EVENT_READ && read(key->fd, &byte, 1) == 1)
        ++*bytes;
    sel_unregister(sel, key->fd);
}

static int count_bytes(int fd)
{
    sel_selector *sel;
    const sel_ready *ready;
    int bytes = 0;

    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return -1;
    if (sel_register(sel, fd, SEL_EVENT_READ, read_cb, &bytes) < 0 ||
        sel_select(sel, 5, &ready) != 1 || sel_dispatch(sel) != 1 ||
        sel_get_map(sel, NULL, 0) != 0)
        bytes = -1;
    sel_close(sel);
    return bytes;
}

static int is_one_version(void)
{
    char headers[64];

    snprintf(headers, sizeof headers, "%d.%d.%d", SELKIE_VERSION_MAJOR,
             SELKIE_VERSION_MINOR, SELKIE_VERSION_PATCH);
    puts(headers);
    return SELKIE_VERSION_ATLEAST(0, 1, 0) && strcmp(headers, sel_version()) == 0;
}

int main(void)
{
    int ends[2];

    if (pipe(ends) < 0 || write(ends[1], "x", 1) != 1)
        return 2;
    return is_one_version() && count_bytes(ends[0]) == 1 ? 0 : 1;
}
