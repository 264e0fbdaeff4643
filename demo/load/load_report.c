/* SPDX-License-Identifier: MIT */
/* What the load client found out, and how it reports it. */
#include "load/load_report.h"
#include "kit/fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double NANOSECONDS_PER_MS = 1e6;
static const double PERCENTS[] = {50, 90, 99, 99.9, 100};
enum { PERCENT_COUNT = sizeof PERCENTS / sizeof *PERCENTS };

static long long lost(const load_result *result)
{
    return result->messages - result->came_back - result->wrong;
}

static double milliseconds(const load_result *result, double percent)
{
    uint64_t value = histogram_percentile(&result->latency, percent);
    return (double)value / NANOSECONDS_PER_MS;
}

bool is_complete(const load_result *result)
{
    return result->connected == result->connections &&
           result->came_back == result->messages;
}

/* https://no-color.org: any value except an empty one. */
static bool may_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    return no_color == NULL || *no_color == '\0';
}

void print_progress(const load_result *result)
{
    if (!isatty(STDERR_FILENO))
        return;
    const char *red = result->wrong > 0 && may_colour() ? "\033[31m" : "";
    const char *plain = *red != '\0' ? "\033[0m" : "";
    fprintf(stderr, "\r%d of %d connected, %lld of %lld came back, %s%lld wrong%s\033[K",
            result->connected, result->connections, result->came_back, result->messages,
            red, result->wrong, plain);
}

void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

void print_result(const load_result *result, bool percentiles, bool to_stderr)
{
    FILE *file = to_stderr ? stderr : stdout;
    fprintf(file, "%d of %d connections, %d at once\n", result->connected,
            result->connections, result->at_once);
    fprintf(file, "%lld of %lld messages came back, %lld wrong, %lld lost\n",
            result->came_back, result->messages, result->wrong, lost(result));
    fprintf(file, "%lld bytes in %.3f s\n", result->bytes, result->seconds);
    fputs("latency in ms:", file);
    for (int i = 0; i < PERCENT_COUNT; i++)
        fprintf(file, "%s %g %% %.3f", i > 0 ? "," : "", PERCENTS[i],
                milliseconds(result, PERCENTS[i]));
    fputc('\n', file);
    if (percentiles)
        histogram_print(&result->latency, file, NANOSECONDS_PER_MS);
}

static void print_json(const load_result *result, FILE *file)
{
    fprintf(file, "{\"connections\": %d, \"connected\": %d, \"at_once\": %d,\n",
            result->connections, result->connected, result->at_once);
    fprintf(file, " \"messages\": %lld, \"came_back\": %lld, \"wrong\": %lld, "
            "\"lost\": %lld,\n",
            result->messages, result->came_back, result->wrong, lost(result));
    fprintf(file, " \"bytes\": %lld, \"seconds\": %.6f,\n \"latency_ms\": {",
            result->bytes, result->seconds);
    fprintf(file, "\"mean\": %.6f",
            histogram_mean(&result->latency) / NANOSECONDS_PER_MS);
    for (int i = 0; i < PERCENT_COUNT; i++)
        fprintf(file, ", \"%g\": %.6f", PERCENTS[i], milliseconds(result, PERCENTS[i]));
    fputs("}}\n", file);
}

void write_json(const load_result *result, const char *path)
{
    if (strcmp(path, "-") == 0) {
        print_json(result, stdout);
        return;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL)
        fail(EXIT_FAILURE, "cannot write %s: %s", path, strerror(errno));
    print_json(result, file);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        fail(EXIT_FAILURE, "cannot write %s: %s", path, strerror(errno));
}
