/* SPDX-License-Identifier: MIT */
/*
 * Fetch URLs with libcurl, all at once.
 *
 *     curl URL...
 */
#include "selkie_curl.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    CURL *easy;
    const char *url;
    size_t size;
    char error[CURL_ERROR_SIZE];
} transfer;

/* libcurl's write function. */
static size_t count(char *data, size_t one, size_t size, void *total)
{
    (void)data, (void)one;
    *(size_t *)total += size;
    return size;
}

static void done(selkie_curl *curl, CURL *easy, CURLcode result)
{
    transfer *self;
    long status;

    (void)curl;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK)
        printf("%s: %ld, %zu bytes\n", self->url, status, self->size);
    else
        fprintf(stderr, "curl: %s: %s\n", self->url,
                self->error[0] ? self->error : curl_easy_strerror(result));
    self->error[0] = result == CURLE_OK ? '\0' : '!';
    curl_easy_cleanup(easy);
}

static int begin(transfer *self, CURLM *multi, const char *url)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        return -1;
    *self = (transfer){.easy = easy, .url = url};
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &self->size);
    return curl_multi_add_handle(multi, easy) == CURLM_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
    selkie_curl curl = {.done = done};
    transfer *transfers = calloc((size_t)argc, sizeof *transfers);
    int status = 0;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl.multi = curl_multi_init();
    if (argc < 2 || transfers == NULL || curl.multi == NULL ||
        sel_open(SEL_BACKEND_DEFAULT, &curl.sel) < 0) {
        fprintf(stderr, "usage: curl URL...\n");
        return 2;
    }
    selkie_curl_start(&curl);
    for (int i = 1; i < argc; i++)
        if (begin(&transfers[i], curl.multi, argv[i]) < 0)
            return 1;

    sel_run(curl.sel); /* until nothing is left to wait for */

    for (int i = 1; i < argc; i++)
        status |= transfers[i].error[0] != '\0';
    selkie_curl_close(&curl);
    sel_close(curl.sel);
    curl_global_cleanup();
    free(transfers);
    return status;
}
