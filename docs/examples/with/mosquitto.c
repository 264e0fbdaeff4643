/* SPDX-License-Identifier: MIT */
/*
 * mosquitto HOST PORT TOPIC: subscribe to a topic of an MQTT broker, publish a message
 * there and print what comes back.
 */
#include "selkie_mosquitto.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    selkie_mosquitto client;
    const char *topic;
    int status;
} program;

static void fail(program *self, const char *message)
{
    fprintf(stderr, "mosquitto: %s\n", message);
    self->status = 1;
}

static void on_connect(struct mosquitto *mosq, void *data, int code)
{
    program *self = data;

    if (code != 0)
        fail(self, mosquitto_connack_string(code)); /* the broker then closes the connection */
    else
        mosquitto_subscribe(mosq, NULL, self->topic, 1);
}

static void on_subscribe(struct mosquitto *mosq, void *data, int id, int count, const int *qos)
{
    program *self = data;

    (void)id, (void)count, (void)qos;
    mosquitto_publish(mosq, NULL, self->topic, 5, "hello", 1, false);
}

static void on_message(struct mosquitto *mosq, void *data, const struct mosquitto_message *got)
{
    (void)data;
    printf("%s: %.*s\n", got->topic, got->payloadlen, (char *)got->payload);
    mosquitto_disconnect(mosq);
}

/* The client is in use here, so a task destroys it. */
static void on_disconnect(struct mosquitto *mosq, void *data, int code)
{
    program *self = data;

    (void)mosq;
    if (code != 0 && self->status == 0)
        fail(self, mosquitto_strerror(code));
    sel_call_soon(self->client.sel, selkie_mosquitto_destroy, &self->client);
}

static void set_callbacks(struct mosquitto *mosq)
{
    mosquitto_connect_callback_set(mosq, on_connect);
    mosquitto_subscribe_callback_set(mosq, on_subscribe);
    mosquitto_message_callback_set(mosq, on_message);
    mosquitto_disconnect_callback_set(mosq, on_disconnect);
}

static void start(program *self, sel_selector *sel, const char *host, int port)
{
    struct mosquitto *mosq = mosquitto_new(NULL, true, self);
    int error = mosq == NULL ? -ENOMEM : selkie_mosquitto_attach(&self->client, sel, mosq);

    if (error < 0) {
        fail(self, sel_strerror(error));
        mosquitto_destroy(mosq);
        return;
    }
    set_callbacks(mosq);
    int code = mosquitto_connect_async(mosq, host, port, 60);
    if (code == MOSQ_ERR_SUCCESS)
        error = selkie_mosquitto_update(&self->client);
    if (code == MOSQ_ERR_SUCCESS && error == 0)
        return;
    fail(self, error < 0 ? sel_strerror(error) : mosquitto_strerror(code));
    selkie_mosquitto_destroy(sel, &self->client);
}

int main(int argc, char **argv)
{
    program self = {0};
    sel_selector *sel;

    if (argc != 4) {
        fputs("usage: mosquitto HOST PORT TOPIC\n", stderr);
        return 2;
    }
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    mosquitto_lib_init();
    self.topic = argv[3];
    start(&self, sel, argv[1], atoi(argv[2]));
    sel_run(sel);
    mosquitto_lib_cleanup();
    sel_close(sel);
    return self.status;
}
