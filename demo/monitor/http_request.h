/* SPDX-License-Identifier: MIT */
/*
 * One HTTP/1 request, parsed by http-parser as its bytes arrive.
 *
 * After it has begun, it becomes complete or wrong.  Its size is bounded, whatever is
 * sent; a body is skipped.  Makes no system call.
 */
#ifndef DEMO_HTTP_REQUEST_H
#define DEMO_HTTP_REQUEST_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    HTTP_HEADER_LIMIT = 8 * 1024,
    HTTP_PATH_LIMIT = 512,
    HTTP_HOST_LIMIT = 255 + sizeof ":65535",
    HTTP_BODY_LIMIT = 64 * 1024,
};

typedef struct {
    http_parser parser;
    char path[HTTP_PATH_LIMIT + 1]; /* once complete: without the query */
    size_t path_size;
    char name[sizeof "host"]; /* the header's, as far as it matters */
    size_t name_size;
    bool in_value;
    int hosts;
    char host[HTTP_HOST_LIMIT + 1];
    size_t host_size;
    size_t body_size;
    bool begun;
    bool complete;
    bool keeps_alive; /* once complete: another may follow */
    int wrong;        /* 0, or the status that says what is wrong */
} http_request;

void http_request_begin(http_request *request);

/*
 * Take bytes, at most up to the end of the request.  Returns how many were used: all of
 * them, unless the request is now complete or wrong.
 */
size_t http_request_take(http_request *request, const char *bytes, size_t size);

/* No more bytes will arrive. */
void http_request_end(http_request *request);

#endif
