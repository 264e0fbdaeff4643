/* SPDX-License-Identifier: MIT */
/*
 * A web page that shows live what a reactor does, served by that very reactor.
 *
 * One selector, one thread: an echo service to give it work, an HTTP server for the
 * page, and a timer that pushes the figures to every open page (server-sent events).
 * The selector's figures include the page's own requests and events; the connections,
 * bytes and answers are the echo service's alone.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/listen.h"
#include "kit/meter.h"
#include "kit/stop.h"
#include "monitor/echo_service.h"
#include "monitor/http.h"
#include "monitor/monitor_page.h"

#include <selkie.h>

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENT_SIZE = 1024, ADDRESS_SIZE = NI_MAXHOST + sizeof "[]:65535" };

typedef struct {
    sel_selector *sel;
    meter meter;
    echo_service echo;
    http_server http;
    double began;
    char echo_address[ADDRESS_SIZE];
} monitor;

typedef struct {
    const char *host;
    int port;
    int echo_port;
    int backlog;
    double timeout;
    bool verbose;
} monitor_options;

static monitor_options read_options(int argc, char **argv)
{
    monitor_options given = {"127.0.0.1", 8080, 1234, 4096, 10, false};
    const command_option options[] = {
        {"host", 'H', "HOST", "the name or address to listen on (127.0.0.1)",
         .text = &given.host},
        {"port", 'p', "PORT", "the page's port; 0 picks a free one (8080)",
         .number = &given.port, .highest = 65535},
        {"echo-port", 'e', "PORT", "the echo service's port; 0 picks a free one (1234)",
         .number = &given.echo_port, .highest = 65535},
        {"backlog", 'b', "N", "how many clients may wait to be accepted (4096)",
         .number = &given.backlog, .lowest = 1, .highest = 65535},
        {"timeout", 't', "SECONDS", "hang up on a browser that stalls for SECONDS (10)",
         .seconds = &given.timeout},
        {"verbose", 'v', NULL, "report on stderr who comes and goes",
         .flag = &given.verbose},
        {0}};
    read_command_line(argc, argv,
                      "Show live on a web page what a reactor does, and echo.", options);
    return given;
}

/* "name": value, of one figure, in `scale`ths. */
static void print_figure(FILE *file, const char *name, const figures *values,
                         enum figure figure, double scale)
{
    fprintf(file, "\"%s\": %.9g, ", name, (double)values->figure[figure] / scale);
}

/* Counts up to 2^53 are exact as JSON numbers; times are in seconds. */
static void print_figures(const monitor *self, FILE *file)
{
    const double nanoseconds = 1e9;
    figures now;
    meter_read(&self->meter, 1, &now);
    fprintf(file, "{\"up\": %.3f, \"backend\": \"%s\", \"echo\": \"%s\", \"pages\": %d, ",
            sel_time(self->sel) - self->began, sel_backend_name(self->sel),
            self->echo_address, self->http.streams);
    static const struct {
        const char *name;
        enum figure figure;
    } counts[] = {{"connections", FIGURE_CONNECTIONS}, {"bytes", FIGURE_BYTES},
                  {"passes", FIGURE_PASSES},           {"pairs", FIGURE_PAIRS},
                  {"callbacks", FIGURE_CALLBACKS}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        fprintf(file, "\"%s\": %llu, ", counts[i].name,
                (unsigned long long)now.figure[counts[i].figure]);
    print_figure(file, "longest", &now, FIGURE_LONGEST, nanoseconds);
    print_figure(file, "waiting", &now, FIGURE_WAITING, nanoseconds);
    print_figure(file, "calling", &now, FIGURE_CALLING, nanoseconds);
    fprintf(file, "\"least\": %g, \"latency\": [", LATENCY_LEAST / 1e6);
    for (int i = 0; i < LATENCIES; i++)
        fprintf(file, "%s%llu", i > 0 ? ", " : "",
                (unsigned long long)now.figure[FIGURE_LATENCY + i]);
    fputs("]}", file);
}

/* The current figures, between two texts.  Returns the length of it all. */
static size_t tell(monitor *self, const char *before, const char *after,
                   char text[EVENT_SIZE])
{
    meter_publish(self->sel, &self->meter);
    FILE *file = fmemopen(text, EVENT_SIZE, "w");
    if (file == NULL)
        return 0;
    fputs(before, file);
    print_figures(self, file);
    fputs(after, file);
    long size = ftell(file);
    return fclose(file) == 0 && size > 0 ? (size_t)size : 0;
}

static void push(sel_selector *sel, void *data)
{
    (void)sel;
    monitor *self = data;
    char event[EVENT_SIZE];
    if (self->http.streams > 0)
        http_push(&self->http, event, tell(self, "data: ", "\n\n", event));
}

/* A page that has just been opened is counted in its first event. */
static void stream(monitor *self, http_client *client)
{
    char event[EVENT_SIZE];
    http_stream(client);
    http_event(client, event, tell(self, "retry: 1000\ndata: ", "\n\n", event));
}

static void answer(http_client *client, const char *path, void *data)
{
    monitor *self = data;
    char text[EVENT_SIZE];
    if (strcmp(path, "/") == 0)
        http_answer(client, 200, "text/html; charset=utf-8", (const char *)monitor_page,
                    monitor_page_size);
    else if (strcmp(path, "/events") == 0)
        stream(self, client);
    else if (strcmp(path, "/figures") == 0)
        http_answer(client, 200, "application/json", text, tell(self, "", "\n", text));
    else
        http_answer(client, 404, "text/plain", "404 Not Found\n",
                    strlen("404 Not Found\n"));
}

static int listen_at(const monitor_options *given, int port)
{
    char text[sizeof "65535"];
    snprintf(text, sizeof text, "%d", port);
    server_options options = {
        .host = given->host, .port = text, .backlog = given->backlog, .threads = 1};
    return open_listener(&options);
}

static void open_monitor(monitor *self, const monitor_options *given)
{
    self->echo = (echo_service){.listener = listen_at(given, given->echo_port),
                                .meter = &self->meter,
                                .verbose = given->verbose};
    self->http = (http_server){.listener = listen_at(given, given->port),
                               .host = given->host,
                               .handler = answer,
                               .data = self,
                               .timeout = given->timeout,
                               .verbose = given->verbose};
    name_listening(self->echo.listener, self->echo_address, sizeof self->echo_address);
    check(sel_open(SEL_BACKEND_DEFAULT, &self->sel), "open a selector");
    self->echo.sel = self->http.sel = self->sel;
    self->began = sel_time(self->sel);
    check(meter_start(&self->meter, self->sel, &self->echo.clients), "measure");
    check(echo_start(&self->echo), "wait");
    check(http_start(&self->http), "wait");
    check(sel_call_every(self->sel, METER_INTERVAL, push, self, NULL), "wait");
    check(sel_add_signal_handler(self->sel, SIGINT, stop_loop, NULL), "watch SIGINT");
    check(sel_add_signal_handler(self->sel, SIGTERM, stop_loop, NULL), "watch SIGTERM");
}

int main(int argc, char **argv)
{
    static monitor self;
    monitor_options options = read_options(argc, argv);
    open_monitor(&self, &options);
    char address[ADDRESS_SIZE];
    name_listening(self.http.listener, address, sizeof address);
    printf("listening on %s\ntry: a browser at http://%s/\n", address, address);
    printf("echoing on %s\n", self.echo_address);
    flush_stdout();

    check(sel_run(self.sel), "wait");

    http_stop(&self.http);
    echo_stop(&self.echo);
    sel_close(self.sel);
    return EXIT_SUCCESS;
}
