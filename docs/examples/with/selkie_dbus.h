/* SPDX-License-Identifier: MIT */
/*
 * libdbus's connections on a selector: a file to copy.
 *
 * libdbus has one watch for reading and one for writing on the same socket, and removes
 * both before it closes the socket: they become a reader and a writer.  Messages that it
 * has read wait in its own queue, where they make no descriptor ready.  It announces them
 * once, and they must not be dispatched from inside that callback, so a task does it.
 *
 * The task holds a reference to the connection, and can't give it back if the selector is
 * closed first.  So either close the connection to end, after which sel_run() returns by
 * itself, or detach it from the selector by setting the three functions of
 * selkie_dbus_attach() to NULL.  When the bus goes away, a connection from dbus_bus_get()
 * ends the process, unless dbus_connection_set_exit_on_disconnect() forbids it.
 */
#pragma once
#include <selkie.h>

#include <dbus/dbus.h>

/* The socket is ready for what this watch is about. */
static inline void selkie_dbus_ready(sel_selector *sel, void *watch)
{
    (void)sel;
    dbus_watch_handle(watch, dbus_watch_get_flags(watch));
}

/* A new watch; the one for writing is disabled while there is nothing to write. */
static inline dbus_bool_t selkie_dbus_add_watch(DBusWatch *watch, void *sel)
{
    return !dbus_watch_get_enabled(watch) ||
           !(dbus_watch_get_flags(watch) & DBUS_WATCH_READABLE ? sel_add_reader
             : sel_add_writer)(sel, dbus_watch_get_unix_fd(watch), selkie_dbus_ready, watch);
}

/* It is about to go. */
static inline void selkie_dbus_remove_watch(DBusWatch *watch, void *sel)
{
    (dbus_watch_get_flags(watch) & DBUS_WATCH_READABLE ? sel_remove_reader
     : sel_remove_writer)(sel, dbus_watch_get_unix_fd(watch));
}

/* The watch was enabled or disabled. */
static inline void selkie_dbus_toggle_watch(DBusWatch *watch, void *sel)
{
    selkie_dbus_remove_watch(watch, sel);
    selkie_dbus_add_watch(watch, sel);
}

/* A timeout has expired.  Only here is it noticed if it was disabled meanwhile. */
static inline void selkie_dbus_expired(sel_selector *sel, void *timeout)
{
    (void)sel;
    if (dbus_timeout_get_enabled(timeout))
        dbus_timeout_handle(timeout);
}

/* A new timeout, which repeats until it is removed; its timer is kept in its data. */
static inline dbus_bool_t selkie_dbus_add_timeout(DBusTimeout *timeout, void *sel)
{
    double interval = (dbus_timeout_get_interval(timeout) + 1e-3) / 1e3; /* more than 0 */
    sel_timer *timer = dbus_new0(sel_timer, 1);

    dbus_timeout_set_data(timeout, timer, dbus_free);
    return timer && !sel_call_every(sel, interval, selkie_dbus_expired, timeout, timer);
}

/* It is about to go. */
static inline void selkie_dbus_remove_timeout(DBusTimeout *timeout, void *sel)
{
    sel_cancel(sel, *(sel_timer *)dbus_timeout_get_data(timeout));
}

/* Dispatch the messages that are waiting. */
static inline void selkie_dbus_dispatch(sel_selector *sel, void *conn)
{
    (void)sel;
    while (dbus_connection_dispatch(conn) == DBUS_DISPATCH_DATA_REMAINS) {}
    dbus_connection_unref(conn);
}

/* Messages are waiting, or no longer. */
static inline void selkie_dbus_status(DBusConnection *conn, DBusDispatchStatus is, void *sel)
{
    if (is == DBUS_DISPATCH_DATA_REMAINS)
        sel_call_soon(sel, selkie_dbus_dispatch, dbus_connection_ref(conn));
}

/*
 * Drive a connection that only this thread uses.  Messages that arrived before are not
 * announced again, so they are looked for.
 *
 * Returns FALSE if memory has run out or the socket can't be watched; close the connection
 * then.
 */
static inline dbus_bool_t selkie_dbus_attach(DBusConnection *conn, sel_selector *sel)
{
    dbus_connection_set_dispatch_status_function(conn, selkie_dbus_status, sel, NULL);
    selkie_dbus_status(conn, DBUS_DISPATCH_DATA_REMAINS, sel);
    return dbus_connection_set_watch_functions(conn, selkie_dbus_add_watch,
               selkie_dbus_remove_watch, selkie_dbus_toggle_watch, sel, NULL) &&
           dbus_connection_set_timeout_functions(conn, selkie_dbus_add_timeout,
               selkie_dbus_remove_timeout, NULL, sel, NULL);
}
