/* SPDX-License-Identifier: MIT */
/*
 * libdbus under stress: SERVER is the address of a message bus.
 */
#include "selkie_dbus.h"

#include "stress.h"

#define PATH "/selkie"
#define INTERFACE "selkie.Stress"

typedef struct {
    sel_selector *sel;
    const char *address;
    DBusConnection *conn;  /* the one that asks, listens or is lost */
    DBusConnection *other; /* the one that answers or emits */
    int wanted, got, wrong;
    bool is_over, is_refused;
    sel_timer again;
} stress;

/* A connection that has said hello, or NULL. */
static DBusConnection *new_connection(stress *self)
{
    DBusConnection *conn = dbus_connection_open_private(self->address, NULL);

    if (conn == NULL)
        return NULL;
    dbus_connection_set_exit_on_disconnect(conn, FALSE);
    if (dbus_bus_register(conn, NULL) && selkie_dbus_attach(conn, self->sel))
        return conn;
    dbus_connection_close(conn);
    dbus_connection_unref(conn);
    return NULL;
}

static void let_go(DBusConnection **conn)
{
    if (*conn == NULL)
        return;
    dbus_connection_close(*conn);
    dbus_connection_unref(*conn);
    *conn = NULL;
}

static int open_both(stress *self)
{
    self->conn = new_connection(self);
    self->other = new_connection(self);
    return self->conn == NULL || self->other == NULL ? stress_fail("no bus") : 0;
}

/* --- calls: COUNT calls at once, each answered in its turn --- */

static DBusHandlerResult answer(DBusConnection *conn, DBusMessage *call, void *unused)
{
    dbus_int32_t number;

    (void)unused;
    if (!dbus_message_is_method_call(call, INTERFACE, "Echo"))
        return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
    DBusMessage *reply = dbus_message_new_method_return(call);
    dbus_message_get_args(call, NULL, DBUS_TYPE_INT32, &number, DBUS_TYPE_INVALID);
    dbus_message_append_args(reply, DBUS_TYPE_INT32, &number, DBUS_TYPE_INVALID);
    dbus_connection_send(conn, reply, NULL);
    dbus_message_unref(reply);
    return DBUS_HANDLER_RESULT_HANDLED;
}

/* libdbus keeps the call until it is answered, or drops it when the connection is lost. */
static void call(stress *self, const char *method, dbus_int32_t number, int timeout,
                 DBusPendingCallNotifyFunction on_reply)
{
    DBusPendingCall *pending = NULL;
    DBusMessage *message = dbus_message_new_method_call(
        dbus_bus_get_unique_name(self->other), PATH, INTERFACE, method);

    dbus_message_append_args(message, DBUS_TYPE_INT32, &number, DBUS_TYPE_INVALID);
    if (dbus_connection_send_with_reply(self->conn, message, &pending, timeout) && pending) {
        dbus_pending_call_set_notify(pending, on_reply, self, NULL);
        dbus_pending_call_unref(pending);
    }
    dbus_message_unref(message);
}

static void on_echo(DBusPendingCall *pending, void *data)
{
    stress *self = data;
    DBusMessage *reply = dbus_pending_call_steal_reply(pending);
    dbus_int32_t number = -1;

    if (!dbus_message_get_args(reply, NULL, DBUS_TYPE_INT32, &number, DBUS_TYPE_INVALID) ||
        number != self->got)
        self->wrong++;
    self->got++;
    dbus_message_unref(reply);
    if (self->got == self->wanted) {
        let_go(&self->conn);
        let_go(&self->other);
    }
}

static int calls(sel_selector *sel, const char *address, int count)
{
    stress self = {.sel = sel, .address = address, .wanted = count};

    if (open_both(&self) != 0)
        return 1;
    dbus_connection_add_filter(self.other, answer, NULL, NULL);
    for (int i = 0; i < count; i++)
        call(&self, "Echo", i, DBUS_TIMEOUT_INFINITE, on_echo);
    sel_run(sel);
    printf("%d, %d wrong\n", self.got, self.wrong);
    return self.got != count || self.wrong != 0;
}

/* --- timeouts: COUNT calls that nobody answers, each with a time of its own --- */

static DBusHandlerResult keep_silent(DBusConnection *conn, DBusMessage *message, void *unused)
{
    (void)conn, (void)unused;
    return dbus_message_is_method_call(message, INTERFACE, "Silence")
               ? DBUS_HANDLER_RESULT_HANDLED : DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static void on_silence(DBusPendingCall *pending, void *data)
{
    stress *self = data;
    DBusMessage *reply = dbus_pending_call_steal_reply(pending);

    if (!dbus_message_is_error(reply, DBUS_ERROR_NO_REPLY))
        self->wrong++;
    dbus_message_unref(reply);
    if (++self->got == self->wanted) {
        let_go(&self->conn);
        let_go(&self->other);
    }
}

static int timeouts(sel_selector *sel, const char *address, int count)
{
    stress self = {.sel = sel, .address = address, .wanted = count};

    if (open_both(&self) != 0)
        return 1;
    dbus_connection_add_filter(self.other, keep_silent, NULL, NULL);
    for (int i = 0; i < count; i++)
        call(&self, "Silence", i, i, on_silence); /* from 0 ms on */
    sel_run(sel);
    printf("%d, %d wrong\n", self.got, self.wrong);
    return self.got != count || self.wrong != 0;
}

/* --- signals: one connection emits COUNT, the other gets them in their order --- */

static DBusHandlerResult on_signal(DBusConnection *conn, DBusMessage *message, void *data)
{
    stress *self = data;
    dbus_int32_t number = -1;

    (void)conn;
    if (!dbus_message_is_signal(message, INTERFACE, "Number"))
        return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
    dbus_message_get_args(message, NULL, DBUS_TYPE_INT32, &number, DBUS_TYPE_INVALID);
    if (number != self->got++)
        self->wrong++;
    if (self->got == self->wanted) {
        let_go(&self->conn); /* in its own handler */
        let_go(&self->other);
    }
    return DBUS_HANDLER_RESULT_HANDLED;
}

static void emit(stress *self)
{
    for (dbus_int32_t i = 0; i < self->wanted; i++) {
        DBusMessage *signal = dbus_message_new_signal(PATH, INTERFACE, "Number");
        dbus_message_append_args(signal, DBUS_TYPE_INT32, &i, DBUS_TYPE_INVALID);
        dbus_connection_send(self->other, signal, NULL);
        dbus_message_unref(signal);
    }
}

static void wait_for_reply(DBusConnection *conn)
{
    DBusMessage *question = dbus_message_new_method_call(
        DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "GetId");
    DBusMessage *reply = dbus_connection_send_with_reply_and_block(conn, question, -1, NULL);

    dbus_message_unref(question);
    if (reply != NULL)
        dbus_message_unref(reply);
}

/* The match is known to the bus when this returns. */
static void listen_to_other(stress *self)
{
    char match[100];

    snprintf(match, sizeof match, "type='signal',sender='%s'",
             dbus_bus_get_unique_name(self->other));
    dbus_connection_add_filter(self->conn, on_signal, self, NULL);
    dbus_bus_add_match(self->conn, match, NULL);
    wait_for_reply(self->conn);
}

static int signals(sel_selector *sel, const char *address, int count)
{
    stress self = {.sel = sel, .address = address, .wanted = count};

    if (open_both(&self) != 0)
        return 1;
    listen_to_other(&self);
    emit(&self);
    sel_run(sel);
    printf("%d, %d wrong\n", self.got, self.wrong);
    return self.got != count || self.wrong != 0;
}

/*
 * --- queued: COUNT signals come while the connection waits for a reply, blocking; nothing
 * more comes afterwards ---
 */

static void block(sel_selector *sel, void *data)
{
    stress *self = data;

    (void)sel;
    emit(self);
    wait_for_reply(self->other); /* the bus has all of them now */
    wait_for_reply(self->conn);  /* and this one has read them */
}

static int queued(sel_selector *sel, const char *address, int count)
{
    stress self = {.sel = sel, .address = address, .wanted = count};

    if (open_both(&self) != 0)
        return 1;
    listen_to_other(&self);
    sel_call_later(sel, 0.01, block, &self, NULL);
    sel_run(sel);
    printf("%d, %d wrong\n", self.got, self.wrong);
    return self.got != count || self.wrong != 0;
}

/* --- survive: connects whenever it is not, with calls under way that nobody answers --- */

static sel_task connect_again;

static void on_nothing(DBusPendingCall *pending, void *data)
{
    (void)pending, (void)data;
}

static DBusHandlerResult on_message(DBusConnection *conn, DBusMessage *message, void *data)
{
    stress *self = data;

    (void)conn;
    if (!dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected"))
        return keep_silent(conn, message, data);
    if (self->is_over)
        return DBUS_HANDLER_RESULT_HANDLED;
    puts("lost");
    let_go(&self->conn);
    sel_call_later(self->sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
    return DBUS_HANDLER_RESULT_HANDLED;
}

static void connect_again(sel_selector *sel, void *data)
{
    stress *self = data;
    int fd;

    self->conn = new_connection(self);
    if (self->conn == NULL) {
        if (!self->is_refused)
            puts("refused");
        self->is_refused = true;
        sel_call_later(sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
        return;
    }
    self->is_refused = false;
    dbus_connection_add_filter(self->conn, on_message, self, NULL);
    dbus_connection_get_unix_fd(self->conn, &fd);
    printf("made %d\n", fd);
    self->other = self->conn; /* it calls itself */
    for (int i = 0; i < 20; i++)
        call(self, "Silence", i, 100000, on_nothing);
}

static void end(sel_selector *sel, const sel_key *key, int mask)
{
    stress *self = key->data;

    (void)mask;
    self->is_over = true;
    sel_unregister(sel, key->fd);
    sel_cancel(sel, self->again);
    let_go(&self->conn);
}

static int survive(sel_selector *sel, const char *address, int count)
{
    stress self = {.sel = sel, .address = address};

    (void)count;
    return stress_survive(sel, connect_again, end, &self);
}

int main(int argc, char **argv)
{
    static const stress_choice choices[] = {
        {"calls", calls},
        {"timeouts", timeouts},
        {"signals", signals},
        {"queued", queued},
        {"survive", survive},
        {NULL, NULL},
    };
    int status = stress_main(argc, argv, choices);

    dbus_shutdown();
    return status;
}
