/* SPDX-License-Identifier: MIT */
/*
 * dbus ADDRESS: say hello to a message bus and print the names of everyone on it.
 */
#include "selkie_dbus.h"

#include <stdio.h>

typedef struct {
    DBusConnection *conn;
    dbus_bool_t is_over;
    int status;
} client;

static void fail(client *self, const char *message)
{
    fprintf(stderr, "dbus: %s\n", message);
    self->status = 1;
}

/* After this nothing is watched, and sel_run() returns. */
static void leave(client *self)
{
    self->is_over = TRUE;
    dbus_connection_close(self->conn);
}

/* Call one of the bus's own methods. libdbus keeps the call until it is answered. */
static void call_bus(client *self, const char *method, DBusPendingCallNotifyFunction on_reply)
{
    DBusPendingCall *pending = NULL;
    DBusMessage *message = dbus_message_new_method_call(
        DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, method);

    if (message == NULL ||
        !dbus_connection_send_with_reply(self->conn, message, &pending, 5000) ||
        pending == NULL || !dbus_pending_call_set_notify(pending, on_reply, self, NULL)) {
        fail(self, "out of memory, or not connected");
        leave(self);
    }
    if (pending != NULL)
        dbus_pending_call_unref(pending);
    if (message != NULL)
        dbus_message_unref(message);
}

/*
 * Returns the reply, which the caller owns, or NULL after printing the error that came
 * instead.
 */
static DBusMessage *take_reply(client *self, DBusPendingCall *pending)
{
    DBusMessage *reply = dbus_pending_call_steal_reply(pending);
    DBusError error = DBUS_ERROR_INIT;

    if (!dbus_set_error_from_message(&error, reply))
        return reply;
    fail(self, error.message);
    dbus_error_free(&error);
    dbus_message_unref(reply);
    return NULL;
}

static void on_names(DBusPendingCall *pending, void *data)
{
    client *self = data;
    DBusMessage *reply = take_reply(self, pending);
    char **names;
    int count;

    if (reply != NULL) {
        if (dbus_message_get_args(reply, NULL, DBUS_TYPE_ARRAY, DBUS_TYPE_STRING, &names,
                                  &count, DBUS_TYPE_INVALID)) {
            for (int i = 0; i < count; i++)
                puts(names[i]);
            dbus_free_string_array(names);
        }
        dbus_message_unref(reply);
    }
    leave(self);
}

/* What dbus_bus_register() does, but without waiting for the reply. */
static void on_hello(DBusPendingCall *pending, void *data)
{
    client *self = data;
    DBusMessage *reply = take_reply(self, pending);
    const char *name;

    if (reply == NULL) {
        leave(self);
        return;
    }
    if (dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID))
        dbus_bus_set_unique_name(self->conn, name);
    dbus_message_unref(reply);
    call_bus(self, "ListNames", on_names);
}

/*
 * When the bus goes away, pending calls are dropped silently; this signal is all that
 * arrives.
 */
static DBusHandlerResult on_message(DBusConnection *conn, DBusMessage *message, void *data)
{
    client *self = data;

    (void)conn;
    if (!dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected"))
        return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
    if (!self->is_over)
        fail(self, "the bus has gone");
    return DBUS_HANDLER_RESULT_HANDLED;
}

static int ask(sel_selector *sel, const char *address)
{
    DBusError error = DBUS_ERROR_INIT;
    client self = {.conn = dbus_connection_open_private(address, &error)};

    if (self.conn == NULL) {
        fail(&self, error.message);
        dbus_error_free(&error);
        return 1;
    }
    if (dbus_connection_add_filter(self.conn, on_message, &self, NULL) &&
        selkie_dbus_attach(self.conn, sel)) {
        call_bus(&self, "Hello", on_hello);
        sel_run(sel);
    } else {
        fail(&self, "out of memory, or the connection can't be watched");
        leave(&self);
    }
    dbus_connection_unref(self.conn);
    return self.status;
}

int main(int argc, char **argv)
{
    sel_selector *sel;

    if (argc != 2) {
        fputs("usage: dbus ADDRESS\n", stderr);
        return 2;
    }
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 1;
    int status = ask(sel, argv[1]);
    sel_close(sel);
    dbus_shutdown();
    return status;
}
