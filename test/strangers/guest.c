/* SPDX-License-Identifier: MIT */
/* A selector with enough to do. */
#include "guest.h"

#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_next(struct guest *guest)
{
    if (guest->sent < PAIRS * WORDS)
        CHECK_IS(send(guest->ends[guest->sent++ % PAIRS][1], "", 1, MSG_NOSIGNAL), 1);
}

static void on_byte(sel_selector *sel, const sel_key *key, int mask)
{
    struct guest *guest = key->data;
    char byte;
    CHECK(sel == guest->sel && mask == SEL_EVENT_READ);
    CHECK_IS(recv(key->fd, &byte, 1, 0), 1);
    guest->received++;
    send_next(guest);
    if (guest->received == PAIRS * WORDS)
        for (int i = 0; i < PAIRS; i++)
            CHECK_IS(sel_unregister(sel, guest->ends[i][0]), 0);
}

static void on_task(sel_selector *sel, void *data)
{
    struct guest *guest = data;
    CHECK(sel == guest->sel);
    guest->tasks++;
    send_next(guest);
}

static void on_timer(sel_selector *sel, void *data)
{
    struct guest *guest = data;
    CHECK(sel_time(sel) >= guest->due);
    guest->timers++;
    CHECK_IS(sel_call_soon(sel, on_task, guest), 0);
}

static void work(void *data)
{
    struct guest *guest = data;
    CHECK_IS(sel_call_soon_threadsafe(guest->sel, on_task, guest), 0);
}

static void done(sel_selector *sel, void *data, int status)
{
    struct guest *guest = data;
    CHECK(sel == guest->sel);
    CHECK_IS(status, 0);
    guest->jobs++;
}

void guest_arrive(struct guest *guest, sel_backend backend)
{
    memset(guest, 0, sizeof *guest);
    CHECK_IS(sel_open(backend, &guest->sel), 0);
    for (int i = 0; i < PAIRS; i++) {
        CHECK(make_pair(guest->ends[i]));
        CHECK_IS(sel_register(guest->sel, guest->ends[i][0], SEL_EVENT_READ, on_byte,
                              guest),
                 0);
    }
    guest->due = sel_time(guest->sel) + 0.005;
    CHECK_IS(sel_call_later(guest->sel, 0.005, on_timer, guest, NULL), 0);
    CHECK_IS(sel_call_soon(guest->sel, on_task, guest), 0);
    CHECK_IS(sel_run_in_executor(guest->sel, work, done, guest), 0);
}

bool guest_is_content(const struct guest *guest)
{
    return guest->received == PAIRS * WORDS && guest->tasks == 3 && guest->timers == 1 &&
           guest->jobs == 1;
}

void guest_leave(struct guest *guest)
{
    CHECK(guest_is_content(guest));
    CHECK_IS(sel_get_map(guest->sel, NULL, 0), 0);
    CHECK_IS(sel_close(guest->sel), 0);
    for (int i = 0; i < PAIRS; i++) {
        close(guest->ends[i][0]);
        close(guest->ends[i][1]);
    }
}

void guest_serve(struct guest *guest)
{
    while (!guest_is_content(guest)) {
        int count = sel_select(guest->sel, 0, NULL);
        CHECK(count >= 0);
        if (count == 0 && sel_get_timeout(guest->sel) > 0)
            return;
        CHECK(sel_dispatch(guest->sel) >= 0);
    }
}

int guest_timeout(double timeout)
{
    return timeout > 20 ? 20000 : (int)ceil(timeout * 1e3);
}
