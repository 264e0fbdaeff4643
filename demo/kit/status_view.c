/* SPDX-License-Identifier: MIT */
/*
 * Each line is first made as plain text and cut to the terminal's width; then all of
 * it, or its bar, is coloured.
 */
#include "kit/status_view.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 256, BAR_MAX = 100, EIGHTHS = 8, OTHER_ROWS = 9 };
enum { LABEL = 18, VALUE = 10, WIDE = 70 }; /* columns */
static const double NANOSECONDS = 1e9;
static const double LONG_CALLBACK = 0.1; /* seconds; as in asyncio's debug mode */

static const char BOLD[] = "\033[1m";
static const char DIM[] = "\033[2m";
static const char RED[] = "\033[31m";
static const char CYAN[] = "\033[36m";
static const char PLAIN[] = "\033[0m";
static const char END_OF_LINE[] = "\033[K\r\n";

typedef struct {
    const status_view *view;
    FILE *file;
    int row;
} page;

/* The text is ASCII only, so a byte is a column. */
static void print_line(page *to, const char *colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool begin_line(page *to)
{
    if (to->row >= to->view->rows)
        return false;
    if (to->row++ > 0)
        fputs(END_OF_LINE, to->file);
    return true;
}

static void print_coloured(page *to, const char *colour, const char *text, int columns)
{
    bool colours = to->view->colours && *colour != '\0' && *text != '\0';
    fprintf(to->file, "%s%.*s%s", colours ? colour : "", columns, text,
            colours ? PLAIN : "");
}

static void print_line(page *to, const char *colour, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (begin_line(to))
        print_coloured(to, colour, text, to->view->columns);
}

static double of(const figures *values, enum figure figure)
{
    return (double)values->figure[figure];
}

static double gained(const status_view *view, enum figure figure)
{
    return of(&view->now, figure) - of(&view->before, figure);
}

static double a_second(const status_view *view, enum figure figure)
{
    return view->interval > 0 ? gained(view, figure) / view->interval : 0;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* "12.3 MB" in `text`. */
static const char *in_units(double value, const char *unit, char text[32])
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    size_t i = 0;
    for (; value >= 999.5 && i < sizeof prefixes / sizeof *prefixes - 1; i++)
        value /= 1000;
    snprintf(text, 32, i > 0 && value < 99.95 ? "%.1f %s%s" : "%.0f %s%s", value,
             prefixes[i], unit);
    return text;
}

static const char *duration(double seconds, char text[32])
{
    if (seconds < 1e-3)
        snprintf(text, 32, "%.0f us", seconds * 1e6);
    else if (seconds < 1)
        snprintf(text, 32, "%.1f ms", seconds * 1e3);
    else
        snprintf(text, 32, "%.1f s", seconds);
    return text;
}

static void print_title(page *to)
{
    const status_view *view = to->view;
    unsigned long up = (unsigned long)view->up;
    char right[32];
    int length = snprintf(right, sizeof right, "up %lu:%02lu:%02lu", up / 3600,
                          up / 60 % 60, up % 60);
    int room = view->columns - length - 2;
    if (room < (int)strlen(view->title))
        print_line(to, BOLD, "%s", view->title);
    else
        print_line(to, BOLD, "%-*s  %s", room, view->title, right);
}

/* What is beside the value is shown whole or not at all. */
static void print_two(page *to, const char *name, const char *value, const char *beside)
{
    bool fits = LABEL + VALUE + 2 + (int)strlen(beside) <= to->view->columns;
    print_line(to, "", "%-*s%*s  %s", LABEL, name, VALUE, value, fits ? beside : "");
}

static void print_total(page *to, const char *name, enum figure figure, const char *unit)
{
    char total[32], rate[32], beside[64];
    snprintf(beside, sizeof beside, "%*s/s", VALUE,
             in_units(a_second(to->view, figure), unit, rate));
    print_two(to, name, in_units(of(&to->view->now, figure), unit, total), beside);
}

static void print_pairs(page *to)
{
    const status_view *view = to->view;
    char lately[32], ever[64];
    snprintf(lately, sizeof lately, "%.1f",
             share(gained(view, FIGURE_PAIRS), gained(view, FIGURE_PASSES)));
    snprintf(ever, sizeof ever, "%*.1f so far", VALUE,
             share(of(&view->now, FIGURE_PAIRS), of(&view->now, FIGURE_PASSES)));
    print_two(to, "pairs a pass", lately, ever);
}

static void print_figures(page *to)
{
    const status_view *view = to->view;
    const figures *now = &view->now;
    char text[32];
    double longest = of(now, FIGURE_LONGEST) / NANOSECONDS;
    double busy = gained(view, FIGURE_CALLING) / NANOSECONDS;

    print_line(to, "", "%-*s%*.0f", LABEL, "connections", VALUE,
               of(now, FIGURE_CONNECTIONS));
    print_total(to, "bytes echoed", FIGURE_BYTES, "B");
    print_total(to, "passes", FIGURE_PASSES, "");
    print_pairs(to);
    print_line(to, longest > LONG_CALLBACK ? RED : "", "%-*s%*s", LABEL,
               "longest callback", VALUE, duration(longest, text));
    print_line(to, "", "%-*s%*.0f %%", LABEL, "in callbacks", VALUE - 2,
               100 * share(busy, view->interval * view->reactors));
}

/* A bar of `eighths` of a column; without Unicode the terminal shows whole columns only. */
static void print_bar(page *to, int eighths)
{
    static const char *const parts[EIGHTHS] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    char bar[BAR_MAX * sizeof "█" + sizeof "▉"] = "";
    bool unicode = to->view->unicode;
    size_t length = 0;
    for (int i = 0; i < eighths / EIGHTHS; i++, length = strlen(bar))
        snprintf(bar + length, sizeof bar - length, "%s", unicode ? "█" : "#");
    if (unicode)
        snprintf(bar + length, sizeof bar - length, "%s", parts[eighths % EIGHTHS]);
    print_coloured(to, CYAN, bar, (int)strlen(bar));
}

/* How many answers the `step` buckets from `first` on hold. */
static double answers(const figures *values, int first, int step)
{
    double sum = 0;
    for (int i = first; i < first + step && i < LATENCIES; i++)
        sum += of(values, (enum figure)(FIGURE_LATENCY + i));
    return sum;
}

static void print_bucket(page *to, int first, int step, double most)
{
    enum { BESIDES = 24 };
    const status_view *view = to->view;
    char limit[32], label[48], count[32];
    double value = answers(&view->now, first, step);
    int last = first + step - 1;
    bool beyond = last >= LATENCIES - 1;
    if (beyond)
        last = first - 1;
    duration(LATENCY_LEAST * (double)(1UL << last) / 1e6, limit);
    snprintf(label, sizeof label, "%s%s", beyond ? "> " : "", limit);
    int length = view->columns - BESIDES;
    length = length > BAR_MAX ? BAR_MAX : length < 0 ? 0 : length;
    int eighths = (int)(share(value, most) * (length * EIGHTHS));
    if (value > 0 && eighths < EIGHTHS) /* anything above 0 shows */
        eighths = view->unicode ? (eighths > 0 ? eighths : 1) : EIGHTHS;
    print_line(to, "", "%12s %9s ", label, value > 0 ? in_units(value, "", count) : "");
    if (length > 0)
        print_bar(to, eighths);
}

/* Buckets are merged until the terminal has a row for each. */
static void print_histogram(page *to)
{
    int room = to->view->rows - to->row;
    int step = 1;
    while (step < LATENCIES && (LATENCIES + step - 1) / step > room)
        step *= 2;
    double most = 0;
    for (int i = 0; i < LATENCIES; i += step) {
        double value = answers(&to->view->now, i, step);
        most = value > most ? value : most;
    }
    if (step < LATENCIES)
        for (int i = 0; i < LATENCIES; i += step)
            print_bucket(to, i, step, most);
}

void status_view_print(const status_view *view, FILE *file)
{
    page to = {.view = view, .file = file};
    print_title(&to);
    print_line(&to, "", " ");
    print_figures(&to);
    if (view->rows > OTHER_ROWS + LATENCIES)
        print_line(&to, "", " ");
    print_line(&to, DIM, "%12s %9s  %s", "up to", "answers",
               view->columns >= WIDE ? "from the first callback of a pass to an answer"
                                     : "");
    print_histogram(&to);
    fputs("\033[K\033[J", file);
}
