/* SPDX-License-Identifier: MIT */
/*
 * A selector inside GLib's main loop: a GSource that waits for sel_fileno(), at most as
 * long as sel_get_timeout() says.  A selector nests like this in any loop that can watch a
 * descriptor and limit its wait.
 */
#include <selkie.h>

#include <glib.h>
#include <stdio.h>
#include <unistd.h>

// [source]
typedef struct {
    GSource source;
    sel_selector *sel;
} selector_source;

/* Collects what is ready; after that sel_fileno() and sel_get_timeout() are valid. */
static gboolean has_work(GSource *source)
{
    sel_selector *sel = ((selector_source *)source)->sel;

    return sel_select(sel, 0, NULL) > 0 || sel_get_timeout(sel) == 0;
}

static gboolean prepare(GSource *source, gint *ret_timeout)
{
    double seconds;

    *ret_timeout = 0;
    if (has_work(source))
        return TRUE;
    seconds = sel_get_timeout(((selector_source *)source)->sel);
    *ret_timeout = seconds < 1e6 ? (gint)(seconds * 1e3) + 1 : -1;
    return FALSE;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    (void)callback;
    (void)data;
    sel_dispatch(((selector_source *)source)->sel);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = {
    .prepare = prepare, .check = has_work, .dispatch = dispatch};

static GSource *new_source(sel_selector *sel)
{
    GSource *source = g_source_new(&functions, sizeof(selector_source));

    ((selector_source *)source)->sel = sel;
    g_source_add_unix_fd(source, sel_fileno(sel), G_IO_IN);
    return source;
}
// [/source]

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    char byte;

    (void)mask;
    if (read(key->fd, &byte, 1) == 1)
        printf("selkie: read %c\n", byte);
    sel_unregister(sel, key->fd);
}

static void quit(sel_selector *sel, void *loop)
{
    (void)sel;
    puts("selkie: the timer");
    g_main_loop_quit(loop);
}

int main(void)
{
    sel_selector *sel;
    int ends[2];

    if (pipe(ends) < 0 || sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 || sel_fileno(sel) < 0)
        return 1;
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    GSource *source = new_source(sel);
    g_source_attach(source, NULL);
    if (sel_register(sel, ends[0], SEL_EVENT_READ, read_cb, NULL) < 0 ||
        sel_call_later(sel, 0.05, quit, loop, NULL) < 0 || write(ends[1], "x", 1) != 1)
        return 1;

    g_main_loop_run(loop);

    g_source_destroy(source);
    g_source_unref(source);
    g_main_loop_unref(loop);
    sel_close(sel);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
