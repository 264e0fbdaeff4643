/* SPDX-License-Identifier: MIT */
/*
 * One request after the other, for their system calls to be counted:
 *
 *     calls_curl URL COUNT
 */
#include "selkie_curl.h"

#include <stdio.h>
#include <stdlib.h>

/* The same transfer again, as often as its number says. */
static void done(selkie_curl *self, CURL *easy, CURLcode result)
{
    int *left;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &left);
    if (result == CURLE_OK && --*left > 0)
        curl_multi_add_handle(self->multi, easy);
}

static size_t drop(char *data, size_t one, size_t size, void *unused)
{
    (void)data, (void)one, (void)unused;
    return size;
}

int main(int argc, char **argv)
{
    int left = argc > 2 ? atoi(argv[2]) : 0;
    selkie_curl curl = {.done = done, .multi = curl_multi_init()};
    CURL *easy = curl_easy_init();

    if (left <= 0 || easy == NULL || curl.multi == NULL ||
        sel_open(SEL_BACKEND_DEFAULT, &curl.sel) < 0)
        return 2;
    selkie_curl_start(&curl);
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &left);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_multi_add_handle(curl.multi, easy);
    sel_run(curl.sel);
    curl_easy_cleanup(easy);
    selkie_curl_close(&curl);
    sel_close(curl.sel);
    return left == 0 ? 0 : 1;
}
