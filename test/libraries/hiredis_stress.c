/* SPDX-License-Identifier: MIT */
/*
 * hiredis under stress: SERVER is a port of 127.0.0.1.
 */
#include "selkie_hiredis.h"

#include "stress.h"

#include <unistd.h>

typedef struct {
    sel_selector *sel;
    const char *port;
    redisAsyncContext *redis; /* NULL: none */
    redisAsyncContext *other;
    int wanted, got, lost;
    bool is_over, is_refused;
    sel_timer again, ping;
} stress;

/* A context that is being connected, or NULL. */
static redisAsyncContext *new_context(stress *self)
{
    redisAsyncContext *redis = redisAsyncConnect("127.0.0.1", atoi(self->port));

    if (redis == NULL)
        return NULL;
    if (redis->err == 0 && selkie_hiredis_attach(redis, self->sel) == 0) {
        redis->data = self;
        return redis;
    }
    redisAsyncFree(redis);
    return NULL;
}

/* --- pipeline: COUNT commands at once, each reply in its turn --- */

static void on_count(redisAsyncContext *redis, void *data, void *unused)
{
    stress *self = redis->data;
    const redisReply *reply = data;

    (void)unused;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == self->got + 1)
        self->got++;
    else
        self->lost++;
}

static int pipeline(sel_selector *sel, const char *port, int count)
{
    stress self = {.sel = sel, .port = port};
    redisAsyncContext *redis = new_context(&self);

    if (redis == NULL)
        return stress_fail("no connection");
    redisAsyncCommand(redis, NULL, NULL, "DEL count-%d", getpid());
    for (int i = 0; i < count; i++)
        redisAsyncCommand(redis, on_count, NULL, "INCR count-%d", getpid());
    redisAsyncDisconnect(redis);
    sel_run(sel);
    printf("%d replies, %d wrong\n", self.got, self.lost);
    return self.got != count;
}

/* --- publish: one context publishes COUNT messages, another gets them in their order --- */

static void on_message(redisAsyncContext *redis, void *data, void *unused)
{
    stress *self = redis->data;
    const redisReply *reply = data;

    (void)unused;
    if (reply == NULL)
        return;
    const char *kind = reply->element[0]->str;
    if (strcmp(kind, "subscribe") == 0) {
        for (int i = 0; i < self->wanted; i++)
            redisAsyncCommand(self->other, NULL, NULL, "PUBLISH of-%d %d", getpid(), i);
        redisAsyncDisconnect(self->other);
    } else if (strcmp(kind, "message") == 0) {
        if (atoi(reply->element[2]->str) != self->got++)
            self->lost++;
        if (self->got == self->wanted)
            redisAsyncCommand(redis, NULL, NULL, "UNSUBSCRIBE");
    } else {
        redisAsyncDisconnect(redis);
    }
}

static int publish(sel_selector *sel, const char *port, int count)
{
    stress self = {.sel = sel, .port = port, .wanted = count};

    self.redis = new_context(&self);
    self.other = new_context(&self);
    if (self.redis == NULL || self.other == NULL)
        return stress_fail("no connection");
    redisAsyncCommand(self.redis, on_message, NULL, "SUBSCRIBE of-%d", getpid());
    sel_run(sel);
    printf("%d messages, %d out of turn\n", self.got, self.lost);
    return self.got != count || self.lost != 0;
}

/* --- free: the first of COUNT replies frees the context, and the others hear of it --- */

static void on_first(redisAsyncContext *redis, void *data, void *unused)
{
    stress *self = redis->data;

    (void)unused;
    if (data == NULL) {
        self->lost++;
        return;
    }
    self->got++;
    redisAsyncFree(redis);
}

static int free_inside(sel_selector *sel, const char *port, int count)
{
    stress self = {.sel = sel, .port = port};
    redisAsyncContext *redis = new_context(&self);

    if (redis == NULL)
        return stress_fail("no connection");
    for (int i = 0; i < count; i++)
        redisAsyncCommand(redis, on_first, NULL, "PING");
    sel_run(sel);
    printf("%d reply, %d without\n", self.got, self.lost);
    return self.got != 1 || self.lost != count - 1;
}

/* --- survive: connects whenever it is not, with commands always under way --- */

static sel_task connect_again;

static void try_later(stress *self)
{
    self->redis = NULL;
    if (!self->is_over)
        sel_call_later(self->sel, AGAIN_MS / 1e3, connect_again, self, &self->again);
}

static void refused(stress *self)
{
    if (!self->is_refused)
        puts("refused");
    self->is_refused = true;
    try_later(self);
}

static void on_connect(const redisAsyncContext *redis, int status)
{
    stress *self = redis->data;

    if (status != REDIS_OK) {
        refused(self);
        return;
    }
    self->is_refused = false;
    printf("made %d\n", redis->c.fd);
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    stress *self = redis->data;

    if (status != REDIS_OK)
        puts("lost");
    try_later(self);
}

static void connect_again(sel_selector *sel, void *data)
{
    stress *self = data;

    (void)sel;
    self->redis = new_context(self);
    if (self->redis == NULL) {
        refused(self);
        return;
    }
    redisAsyncSetConnectCallback(self->redis, on_connect);
    redisAsyncSetDisconnectCallback(self->redis, on_disconnect);
}

static void ping(sel_selector *sel, void *data)
{
    stress *self = data;

    (void)sel;
    if (self->redis != NULL)
        redisAsyncCommand(self->redis, NULL, NULL, "PING");
}

static void end(sel_selector *sel, const sel_key *key, int mask)
{
    stress *self = key->data;

    (void)mask;
    self->is_over = true;
    sel_unregister(sel, key->fd);
    sel_cancel(sel, self->again);
    sel_cancel(sel, self->ping);
    if (self->redis != NULL)
        redisAsyncFree(self->redis);
}

static int survive(sel_selector *sel, const char *port, int count)
{
    stress self = {.sel = sel, .port = port};

    (void)count;
    sel_call_every(sel, 0.001, ping, &self, &self.ping);
    return stress_survive(sel, connect_again, end, &self);
}

int main(int argc, char **argv)
{
    static const stress_choice choices[] = {
        {"pipeline", pipeline},
        {"publish", publish},
        {"free", free_inside},
        {"survive", survive},
        {NULL, NULL},
    };

    return stress_main(argc, argv, choices);
}
