/* SPDX-License-Identifier: MIT */
/*
 * A selector in GLib's main loop, as a source of it: the descriptor is GLib's to poll,
 * the timeout what sel_get_timeout() says.  What is promised stands in watched.c.
 */
#include "guest.h"

#include <glib.h>

struct source {
    GSource source;
    GPollFD polled;
    struct guest *guest;
};

static gboolean prepare(GSource *source, gint *timeout)
{
    struct guest *guest = ((struct source *)source)->guest;
    guest_serve(guest);
    *timeout = guest_timeout(sel_get_timeout(guest->sel));
    return guest_is_content(guest);
}

static gboolean check(GSource *source)
{
    const struct source *same = (const struct source *)source;
    return same->polled.revents != 0 || sel_get_timeout(same->guest->sel) <= 0;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    struct guest *guest = ((struct source *)source)->guest;
    (void)callback;
    guest_serve(guest);
    if (!guest_is_content(guest))
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(data);
    return G_SOURCE_REMOVE;
}

static gboolean count(gpointer data)
{
    return ++*(int *)data < 5 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void in_glib(sel_backend backend)
{
    static GSourceFuncs functions = {
        .prepare = prepare, .check = check, .dispatch = dispatch};
    struct guest guest;
    int calls = 0;
    if (!has_fileno(backend))
        return;
    guest_arrive(&guest, backend);
    GMainContext *context = g_main_context_new();
    GMainLoop *loop = g_main_loop_new(context, FALSE);
    GSource *source = g_source_new(&functions, sizeof(struct source));
    struct source *ours = (struct source *)source;
    ours->guest = &guest;
    ours->polled = (GPollFD){.fd = sel_fileno(guest.sel), .events = G_IO_IN};
    g_source_add_poll(source, &ours->polled);
    g_source_set_callback(source, NULL, loop, NULL);
    g_source_attach(source, context);
    GSource *other = g_timeout_source_new(1);
    g_source_set_callback(other, count, &calls, NULL);
    g_source_attach(other, context);

    g_main_loop_run(loop);
    while (calls < 5)
        g_main_context_iteration(context, TRUE);
    g_source_unref(other);
    g_source_unref(source);
    g_main_loop_unref(loop);
    g_main_context_unref(context);
    guest_leave(&guest);
}

/* GLib opens its own descriptors with its first loop. */
int main(int argc, char **argv)
{
    g_main_context_unref(g_main_context_new());
    stranger_warm_up();
    return stranger_main(argc, argv, 3, in_glib);
}
