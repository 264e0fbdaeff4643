/* SPDX-License-Identifier: MIT */
/* The selector as a source of GLib's main loop, which has another one besides. */
#include "driver.h"

#include <glib.h>

typedef struct {
    GSource source;
    loop *owner;
} selector_source;

struct loop {
    sel_selector *sel;
    GMainLoop *main;
    GSource *source, *ticks;
};

static gboolean has_work(GSource *source)
{
    sel_selector *sel = ((selector_source *)source)->owner->sel;

    return sel_select(sel, 0, NULL) > 0 || sel_get_timeout(sel) == 0;
}

static gboolean prepare(GSource *source, gint *ret_timeout)
{
    double seconds;

    *ret_timeout = 0;
    if (has_work(source))
        return TRUE;
    seconds = sel_get_timeout(((selector_source *)source)->owner->sel);
    *ret_timeout = seconds < 1e6 ? (gint)(seconds * 1e3) + 1 : -1;
    return FALSE;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    loop *self = ((selector_source *)source)->owner;

    (void)callback, (void)data;
    sel_dispatch(self->sel);
    if (!sel_is_alive(self->sel))
        g_main_loop_quit(self->main);
    return G_SOURCE_CONTINUE;
}

static gboolean tick(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE;
}

loop *loop_open(sel_selector *sel)
{
    static GSourceFuncs functions = {.prepare = prepare, .check = has_work,
                                     .dispatch = dispatch};
    loop *self = g_new0(loop, 1);
    int fd = sel_fileno(sel);

    driver_check("sel_fileno", fd < 0 ? fd : 0);
    self->sel = sel;
    self->main = g_main_loop_new(NULL, FALSE);
    self->source = g_source_new(&functions, sizeof(selector_source));
    ((selector_source *)self->source)->owner = self;
    g_source_add_unix_fd(self->source, fd, G_IO_IN);
    g_source_attach(self->source, NULL);
    self->ticks = g_timeout_source_new(10);
    g_source_set_callback(self->ticks, tick, NULL, NULL);
    g_source_attach(self->ticks, NULL);
    return self;
}

void loop_run(loop *self)
{
    g_main_loop_run(self->main);
}

void loop_close(loop *self)
{
    g_source_destroy(self->source);
    g_source_destroy(self->ticks);
    g_source_unref(self->source);
    g_source_unref(self->ticks);
    g_main_loop_unref(self->main);
    g_free(self);
}
