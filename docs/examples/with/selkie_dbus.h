/* SPDX-License-Identifier: MIT */
/*
 * libdbus's connections on a selector: a file to copy.
 *
 * libdbus has one watch for reading and one for writing on the same socket, and removes both
 * before it closes that: a reader and a writer.  Messages that it has read wait in a queue of
 * its own, where they make no descriptor ready; it says once when there are some, and a task
 * hands them out, for that must not be done while it says so.
 *
 * The task holds a reference to the connection, which it could not give back to a selector
 * that is closed.  So end by closing the connection, and sel_run() returns by itself; or take
 * it from the selector by setting the three functions of selkie_dbus_attach() to NULL.
 * dbus_bus_get() ends the process when the bus goes, unless
 * dbus_connection_set_exit_on_disconnect() says otherwise.
 */
#pragma once
#include <selkie.h>

#include <dbus/dbus.h>

/* The socket is ready for what this watch of it is about. */
static inline void selkie_dbus_ready(sel_selector *sel, void *watch)
{
    (void)sel;
    dbus_watch_handle(watch, dbus_watch_get_flags(watch));
}

/* A watch is there; the one for writing is disabled as long as there is nothing to write. */
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

/* It was enabled or disabled. */
static inline void selkie_dbus_toggle_watch(DBusWatch *watch, void *sel)
{
    selkie_dbus_remove_watch(watch, sel);
    selkie_dbus_add_watch(watch, sel);
}

/* A timeout's time has come; that it was disabled is found out only here. */
static inline void selkie_dbus_expired(sel_selector *sel, void *timeout)
{
    (void)sel;
    if (dbus_timeout_get_enabled(timeout))
        dbus_timeout_handle(timeout);
}

/* A timeout is there, which repeats until it is removed; it keeps its timer. */
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

/* Hand out the messages that wait. */
static inline void selkie_dbus_dispatch(sel_selector *sel, void *conn)
{
    (void)sel;
    while (dbus_connection_dispatch(conn) == DBUS_DISPATCH_DATA_REMAINS) {}
    dbus_connection_unref(conn);
}

/* Messages wait, or no longer. */
static inline void selkie_dbus_status(DBusConnection *conn, DBusDispatchStatus is, void *sel)
{
    if (is == DBUS_DISPATCH_DATA_REMAINS)
        sel_call_soon(sel, selkie_dbus_dispatch, dbus_connection_ref(conn));
}

/*
 * Drive a connection, all calls of which are made by this thread.  What came before is not
 * announced any more: it is looked for.
 *
 * Returns FALSE where memory has run out or the socket can't be watched; close it then.
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
