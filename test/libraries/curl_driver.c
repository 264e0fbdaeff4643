/* SPDX-License-Identifier: MIT */
/*
 * libcurl, driven by lines:
 *
 *     get ID URL      fetch it
 *     part ID URL     give it up when its first bytes have come
 *     last ID URL     fetch it, then give up all the others and begin with a new handle
 *     cancel ID       give it up, if it has not ended
 *
 * Each ends with one line: `ID RESULT STATUS BYTES`, where RESULT is libcurl's number, or -1
 * of what was given up.
 */
#include "driver.h"
#include "selkie_curl.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRANSFERS = 10000 };

typedef struct transfer transfer;

typedef struct {
    selkie_curl curl; /* the first member: a pointer to the one is one to the other */
    driver lines;
    bool is_ending;
    transfer *transfers[TRANSFERS];
} program;

struct transfer {
    program *owner;
    CURL *easy;
    int id;
    char kind; /* the first letter of its word */
    size_t size;
    sel_timer giving_up;
};

static void end(transfer *self, int result)
{
    long status = 0;

    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    printf("%d %d %ld %zu\n", self->id, result, status, self->size);
    curl_easy_cleanup(self->easy);
    sel_cancel(self->owner->lines.sel, self->giving_up);
    self->owner->transfers[self->id] = NULL;
    driver_add_stranger(&self->owner->lines);
    free(self);
}

static void give_up(program *self, int id)
{
    transfer *given_up = self->transfers[id];

    if (given_up == NULL)
        return;
    curl_multi_remove_handle(self->curl.multi, given_up->easy);
    end(given_up, -1);
}

static void give_up_all(program *self)
{
    for (int i = 0; i < TRANSFERS; i++)
        give_up(self, i);
}

static void done(selkie_curl *curl, CURL *easy, CURLcode result);

static void begin(program *self)
{
    self->curl = (selkie_curl){
        .sel = self->lines.sel, .multi = curl_multi_init(), .done = done};
    driver_check("curl_multi_init", self->curl.multi == NULL);
    selkie_curl_start(&self->curl);
}

/* --- tasks, for what libcurl's callbacks must not do --- */

static void give_up_task(sel_selector *sel, void *data)
{
    transfer *self = data;

    (void)sel;
    give_up(self->owner, self->id);
}

static void begin_anew(sel_selector *sel, void *data)
{
    program *self = data;

    (void)sel;
    if (self->is_ending)
        return;
    give_up_all(self);
    selkie_curl_close(&self->curl);
    begin(self);
}

/* --- libcurl's callbacks --- */

static void done(selkie_curl *curl, CURL *easy, CURLcode result)
{
    program *self = (program *)curl;
    transfer *ended;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &ended);
    if (ended->kind == 'l')
        driver_check("sel_call_soon", sel_call_soon(curl->sel, begin_anew, self));
    end(ended, (int)result);
}

static size_t write_some(char *data, size_t one, size_t size, void *owner)
{
    transfer *self = owner;

    (void)data, (void)one;
    if (self->size == 0 && self->kind == 'p')
        driver_check("sel_call_later", sel_call_later(self->owner->lines.sel, 0, give_up_task,
                                                      self, &self->giving_up));
    self->size += size;
    return size;
}

/* --- commands --- */

static void get(program *self, int id, char kind, const char *url)
{
    transfer *added = calloc(1, sizeof *added);

    driver_check("memory", added == NULL);
    *added = (transfer){.owner = self, .easy = curl_easy_init(), .id = id, .kind = kind};
    self->transfers[id] = added;
    curl_easy_setopt(added->easy, CURLOPT_PRIVATE, added);
    curl_easy_setopt(added->easy, CURLOPT_URL, url);
    curl_easy_setopt(added->easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(added->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(added->easy, CURLOPT_WRITEFUNCTION, write_some);
    curl_easy_setopt(added->easy, CURLOPT_WRITEDATA, added);
    driver_check("curl_multi_add_handle",
                 (int)curl_multi_add_handle(self->curl.multi, added->easy));
}

static program *of_driver(driver *lines)
{
    return (program *)((char *)lines - offsetof(program, lines));
}

static void command(driver *lines, int id, char *word, char *rest)
{
    program *self = of_driver(lines);

    driver_check("there is no such number", id < 0 || id >= TRANSFERS);
    if (strcmp(word, "cancel") == 0)
        give_up(self, id);
    else
        get(self, id, word[0], rest);
}

static void no_more(driver *lines)
{
    program *self = of_driver(lines);

    self->is_ending = true;
    give_up_all(self);
    selkie_curl_close(&self->curl);
}

int main(void)
{
    static program self = {.lines = {.command = command, .end = no_more}};
    int status;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    driver_open(&self.lines);
    begin(&self);
    status = driver_run(&self.lines);
    curl_global_cleanup();
    return status;
}
