/* SPDX-License-Identifier: MIT */
/*
 * libmosquitto under stress: SERVER is a port of 127.0.0.1.
 */
#include "selkie_mosquitto.h"

#include "stress.h"

#include <sys/socket.h>
#include <unistd.h>

typedef struct stress stress;
struct stress {
    selkie_mosquitto client;
    sel_selector *sel;
    int port;
    char name[40]; /* the client's, and its topic */
    int wanted, got, wrong;
    bool is_alive, is_over;
    int stolen[2]; /* who has the client's number when the client has lost it */
    sel_timer again, publish;
    stress *next;
};

static void publish(stress *self, int number)
{
    char text[12];
    int size = snprintf(text, sizeof text, "%d", number);
    int code = mosquitto_publish(self->client.mosq, NULL, self->name, size, text, 1, false);

    if (code == MOSQ_ERR_NOMEM || code == MOSQ_ERR_INVAL)
        self->wrong++; /* else it is queued, whatever became of the connection */
}

/* A client whose callbacks get `self`; on_connect, on_disconnect and what else come later. */
static int attach(stress *self, sel_selector *sel, const char *port)
{
    struct mosquitto *mosq;

    self->sel = sel;
    self->port = atoi(port);
    snprintf(self->name, sizeof self->name, "selkie-%d", getpid());
    mosq = mosquitto_new(self->name, true, self);
    if (mosq == NULL)
        return -ENOMEM;
    mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
    return selkie_mosquitto_attach(&self->client, sel, mosq);
}

static int start(stress *self)
{
    int code = mosquitto_connect_async(self->client.mosq, "127.0.0.1", self->port, 60);

    return code == MOSQ_ERR_SUCCESS ? selkie_mosquitto_update(&self->client) : code;
}

static void subscribe(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    self->is_alive = true;
    self->wrong += code != 0;
    mosquitto_subscribe(mosq, NULL, self->name, 1);
}

static void destroy_soon(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    (void)mosq;
    self->wrong += code != 0;
    sel_call_soon(self->sel, selkie_mosquitto_destroy, &self->client);
}

/* --- messages: COUNT of QoS 1, published inside a callback, come back in their order --- */

static void publish_all(struct mosquitto *mosq, void *data, int id, int count, const int *qos)
{
    stress *self = data;

    (void)mosq, (void)id, (void)count, (void)qos;
    for (int i = 0; i < self->wanted; i++)
        publish(self, i);
}

static void count_message(struct mosquitto *mosq, void *data,
                          const struct mosquitto_message *got)
{
    stress *self = data;
    char text[12] = "";

    memcpy(text, got->payload, got->payloadlen < 11 ? (size_t)got->payloadlen : 11);
    if (atoi(text) != self->got++)
        self->wrong++;
    if (self->got == self->wanted)
        mosquitto_disconnect(mosq);
}

static void set_messages(stress *self)
{
    struct mosquitto *mosq = self->client.mosq;

    mosquitto_connect_callback_set(mosq, subscribe);
    mosquitto_subscribe_callback_set(mosq, publish_all);
    mosquitto_message_callback_set(mosq, count_message);
    mosquitto_disconnect_callback_set(mosq, destroy_soon);
}

static int messages(sel_selector *sel, const char *port, int count)
{
    stress self = {.wanted = count};

    if (attach(&self, sel, port) != 0)
        return stress_fail("no client");
    set_messages(&self);
    if (start(&self) != 0)
        return stress_fail("no broker");
    sel_run(sel);
    printf("%d, %d wrong\n", self.got, self.wrong);
    return self.got != count || self.wrong != 0;
}

/* --- taken: another client of the same name comes, and the first goes --- */

/* Ends the client and frees what it was in. */
static void free_client(sel_selector *sel, void *data)
{
    stress *self = data;

    selkie_mosquitto_destroy(sel, &self->client);
    free(self);
}

static void on_taken(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    (void)mosq;
    puts(code != 0 && self->is_alive ? "taken" : "wrong");
    sel_call_soon(self->sel, free_client, self);
}

/* Another client may connect, in the first one's callback. */
static void start_next(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    (void)mosq;
    self->is_alive = true;
    if (code != 0 || start(self->next) != 0)
        puts("wrong");
}

static int taken(sel_selector *sel, const char *port, int count)
{
    stress *first = calloc(1, sizeof *first), second = {.wanted = count};

    first->next = &second;
    if (attach(first, sel, port) != 0 || attach(&second, sel, port) != 0)
        return stress_fail("no client");
    mosquitto_connect_callback_set(first->client.mosq, start_next);
    mosquitto_disconnect_callback_set(first->client.mosq, on_taken);
    set_messages(&second);
    if (start(first) != 0)
        return stress_fail("no broker");
    sel_run(sel);
    printf("%d, %d wrong\n", second.got, second.wrong);
    return second.got != count || second.wrong != 0;
}

/*
 * --- blocked: COUNT bytes that the broker does not read are being written when it goes, so
 * that the socket is ready for both ---
 */

static void count_loss(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    self->got++;
    destroy_soon(mosq, data, code);
}

static int blocked(sel_selector *sel, const char *port, int count)
{
    stress self = {0};
    char *text = calloc((size_t)count, 1);

    if (text == NULL || attach(&self, sel, port) != 0)
        return stress_fail("no client");
    mosquitto_disconnect_callback_set(self.client.mosq, count_loss);
    if (start(&self) != 0)
        return stress_fail("no broker");
    mosquitto_publish(self.client.mosq, NULL, self.name, count, text, 0, false);
    free(text);
    selkie_mosquitto_update(&self.client);
    puts(mosquitto_want_write(self.client.mosq) ? "blocked" : "wrong");
    sel_run(sel);
    printf("lost %d\n", self.got);
    return 0;
}

/*
 * --- survive: connects whenever it is not, and publishes all the time.  At its end every
 * message has been acknowledged.  When the client has lost its socket, another one of the
 * program's gets the number, and keeps it until it has been served. ---
 */

static sel_task connect_again;

static void on_stolen(sel_selector *sel, void *data)
{
    stress *self = data;
    char byte;

    if (recv(self->stolen[0], &byte, 1, 0) == 1)
        printf("served %d\n", self->stolen[0]);
    sel_remove_reader(sel, self->stolen[0]);
    close(self->stolen[0]);
    close(self->stolen[1]);
    sel_call_later(sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
}

static void poke(sel_selector *sel, void *data)
{
    stress *self = data;

    (void)sel;
    if (send(self->stolen[1], "x", 1, 0) != 1)
        puts("wrong");
}

static void on_lost(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    if (self->is_over) {
        destroy_soon(mosq, data, code);
        return;
    }
    if (!self->is_alive) {
        sel_call_later(self->sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
        return;
    }
    puts("lost");
    self->is_alive = false;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, self->stolen) < 0 ||
        sel_add_reader(self->sel, self->stolen[0], on_stolen, self) < 0)
        puts("wrong");
    sel_call_later(self->sel, AGAIN_MS / 1e3, poke, self, NULL);
}

static void connect_again(sel_selector *sel, void *data)
{
    stress *self = data;

    if (mosquitto_reconnect_async(self->client.mosq) != MOSQ_ERR_SUCCESS)
        sel_call_later(sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
    else if (selkie_mosquitto_update(&self->client) < 0)
        puts("wrong");
}

static void on_made(struct mosquitto *mosq, void *data, int code)
{
    stress *self = data;

    self->is_alive = true;
    self->wrong += code != 0;
    printf("made %d\n", mosquitto_socket(mosq));
}

static void on_acknowledged(struct mosquitto *mosq, void *data, int id)
{
    stress *self = data;

    (void)id;
    if (++self->got == self->wanted && self->is_over)
        mosquitto_disconnect(mosq);
}

static void publish_some(sel_selector *sel, void *data)
{
    stress *self = data;

    (void)sel;
    for (int i = 0; i < 5; i++)
        publish(self, self->wanted++);
    selkie_mosquitto_update(&self->client);
}

static void end(sel_selector *sel, const sel_key *key, int mask)
{
    stress *self = key->data;

    (void)mask;
    self->is_over = true;
    sel_unregister(sel, key->fd);
    sel_cancel(sel, self->publish);
    publish_some(sel, self); /* one at least is still to be acknowledged */
}

static int survive(sel_selector *sel, const char *port, int count)
{
    stress self = {0};

    (void)count;
    if (stress_until_end_of_input(sel, end, &self) < 0 || attach(&self, sel, port) < 0)
        return stress_fail("no input, or no client");
    mosquitto_connect_callback_set(self.client.mosq, on_made);
    mosquitto_publish_callback_set(self.client.mosq, on_acknowledged);
    mosquitto_disconnect_callback_set(self.client.mosq, on_lost);
    if (start(&self) != 0)
        return stress_fail("no broker");
    sel_call_every(sel, 0.002, publish_some, &self, &self.publish);
    sel_run(sel);
    printf("%d not acknowledged, %d wrong\n", self.wanted - self.got, self.wrong);
    puts("end");
    return self.wanted != self.got || self.wrong != 0;
}

int main(int argc, char **argv)
{
    static const stress_choice choices[] = {
        {"messages", messages},
        {"taken", taken},
        {"blocked", blocked},
        {"survive", survive},
        {NULL, NULL},
    };

    mosquitto_lib_init();
    int status = stress_main(argc, argv, choices);
    mosquitto_lib_cleanup();
    return status;
}
