/* SPDX-License-Identifier: MIT */
/*
 * A callback that does not return 0 ends the parser, and `wrong` says why.  At the end
 * of a request the parser is paused, so that the next one's bytes stay unused.
 */
#include "monitor/http_request.h"

#include <string.h>
#include <strings.h>

static http_request *request_of(http_parser *parser)
{
    return parser->data;
}

static int refuse(http_request *request, int status)
{
    request->wrong = status;
    return -1; /* not 1: from a header callback that would mean no body */
}

static int begin_cb(http_parser *parser)
{
    request_of(parser)->begun = true;
    return 0;
}

static int url_cb(http_parser *parser, const char *bytes, size_t size)
{
    http_request *request = request_of(parser);
    if (size > HTTP_PATH_LIMIT - request->path_size)
        return refuse(request, HTTP_STATUS_URI_TOO_LONG);
    memcpy(request->path + request->path_size, bytes, size);
    request->path_size += size;
    return 0;
}

/* A name may arrive in parts; after a value, a new name begins. */
static int field_cb(http_parser *parser, const char *bytes, size_t size)
{
    http_request *request = request_of(parser);
    if (request->in_value)
        request->name_size = 0;
    request->in_value = false;
    size_t room = sizeof request->name - request->name_size;
    size_t taken = size < room ? size : room;
    memcpy(request->name + request->name_size, bytes, taken);
    request->name_size += taken;
    return 0;
}

static bool is_host(const http_request *request)
{
    return request->name_size == strlen("host") &&
           strncasecmp(request->name, "host", strlen("host")) == 0;
}

/* A value may arrive in parts too. */
static int value_cb(http_parser *parser, const char *bytes, size_t size)
{
    http_request *request = request_of(parser);
    bool begins = !request->in_value;
    request->in_value = true;
    if (!is_host(request))
        return 0;
    request->hosts += begins;
    if (size > HTTP_HOST_LIMIT - request->host_size)
        return refuse(request, HTTP_STATUS_BAD_REQUEST);
    memcpy(request->host + request->host_size, bytes, size);
    request->host_size += size;
    return 0;
}

/* "http://host/path?query" and "/path?query" become "/path". */
static bool cut_path(http_request *request)
{
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url(request->path, request->path_size, 0, &url) != 0)
        return false;
    size_t size = url.field_data[UF_PATH].len;
    if (size > 0)
        memmove(request->path, request->path + url.field_data[UF_PATH].off, size);
    else
        request->path[size++] = '/';
    request->path[size] = '\0';
    return true;
}

static int headers_cb(http_parser *parser)
{
    http_request *request = request_of(parser);
    bool named = request->hosts == 1 || (request->hosts == 0 && parser->http_minor == 0);
    if (parser->http_major != 1)
        return refuse(request, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
    if (!named)
        return refuse(request, HTTP_STATUS_BAD_REQUEST);
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD)
        return refuse(request, HTTP_STATUS_METHOD_NOT_ALLOWED);
    if (!cut_path(request))
        return refuse(request, HTTP_STATUS_BAD_REQUEST);
    return 0;
}

static int body_cb(http_parser *parser, const char *bytes, size_t size)
{
    (void)bytes;
    http_request *request = request_of(parser);
    request->body_size += size;
    if (request->body_size > HTTP_BODY_LIMIT)
        return refuse(request, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    return 0;
}

/* A request to switch to another protocol is not supported. */
static int complete_cb(http_parser *parser)
{
    http_request *request = request_of(parser);
    request->complete = true;
    request->keeps_alive = http_should_keep_alive(parser) && !parser->upgrade;
    http_parser_pause(parser, 1);
    return 0;
}

void http_request_begin(http_request *request)
{
    *request = (http_request){0};
    http_parser_set_max_header_size(HTTP_HEADER_LIMIT);
    http_parser_init(&request->parser, HTTP_REQUEST);
    request->parser.data = request;
}

size_t http_request_take(http_request *request, const char *bytes, size_t size)
{
    static const http_parser_settings settings = {
        .on_message_begin = begin_cb,
        .on_url = url_cb,
        .on_header_field = field_cb,
        .on_header_value = value_cb,
        .on_headers_complete = headers_cb,
        .on_body = body_cb,
        .on_message_complete = complete_cb,
    };
    http_parser *parser = &request->parser;
    size_t used = http_parser_execute(parser, &settings, bytes, size);
    enum http_errno error = HTTP_PARSER_ERRNO(parser);
    if (error == HPE_HEADER_OVERFLOW)
        request->wrong = HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
    else if (error != HPE_OK && error != HPE_PAUSED && request->wrong == 0)
        request->wrong = HTTP_STATUS_BAD_REQUEST;
    return used;
}

void http_request_end(http_request *request)
{
    if (request->begun && !request->complete && request->wrong == 0)
        request->wrong = HTTP_STATUS_BAD_REQUEST;
}
