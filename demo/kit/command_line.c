/* SPDX-License-Identifier: MIT */
/*
 * A table of options, given to getopt_long().
 *
 * An option's index in the table is what getopt_long() answers for it, shifted past
 * the letters; --help and --version follow the table's last.
 */
#include "kit/command_line.h"
#include "kit/fail.h"

#include <selkie.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_end[] =
    "  -h, --help             print this and exit\n"
    "  -V, --version          print the version and exit\n";

/*
 * A program started with stdout closed would get its first socket as number 1
 * and print into it.  Opened the wrong way round, a stand-in fails as the closed
 * one would; so does a directory, where there is no /dev/null.  What is run from here
 * finds closed what was.
 */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC) < 0)
            (void)!open("/", O_RDONLY | O_CLOEXEC);
}

/* The library says of a wrong name that an argument is wrong, but there is none. */
static void check_environment(void)
{
    static const struct {
        sel_backend backend;
        const char *name;
    } backends[] = {{SEL_BACKEND_UV, "uv"},
                    {SEL_BACKEND_EPOLL, "epoll"},
                    {SEL_BACKEND_POLL, "poll"},
                    {SEL_BACKEND_SELECT, "select"},
                    {SEL_BACKEND_KQUEUE, "kqueue"}};
    char names[64] = "";
    if (sel_backend_available(SEL_BACKEND_DEFAULT))
        return;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (!sel_backend_available(backends[i].backend))
            continue;
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", length > 0 ? ", " : "",
                 backends[i].name);
    }
    fail(EXIT_FAILURE, "SELKIE_BACKEND=%s is no backend of %s", getenv("SELKIE_BACKEND"),
         names);
}

static _Noreturn void print_help(const char *purpose, const command_option *options)
{
    printf("Usage: %s [OPTION]...\n%s\n\n", program_invocation_short_name, purpose);
    for (const command_option *option = options; option->name != NULL; option++) {
        char names[64];
        snprintf(names, sizeof names, "-%c, --%s %s", option->letter, option->name,
                 option->argument != NULL ? option->argument : "");
        printf("  %-22s %s\n", names, option->help);
    }
    fputs(usage_end, stdout);
    flush_stdout();
    exit(EXIT_SUCCESS);
}

static _Noreturn void print_version(void)
{
    printf("%s, selkie %s\n", program_invocation_short_name, sel_version());
    flush_stdout();
    exit(EXIT_SUCCESS);
}

static int whole_number(const command_option *option, const char *text)
{
    size_t length = strlen(text);
    bool digits = length > 0 && length < 8 && strspn(text, "0123456789") == length;
    int number = digits ? (int)strtol(text, NULL, 10) : -1;
    if (number < option->lowest || number > option->highest)
        fail(EXIT_USAGE, "--%s is a number from %d to %d, not '%s'", option->name,
             option->lowest, option->highest, text);
    return number;
}

static double positive_seconds(const command_option *option, const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);
    bool digits = *text != '\0' && text[strspn(text, "0123456789.")] == '\0';
    if (!digits || *end != '\0' || !(seconds > 0 && seconds <= 1e6))
        fail(EXIT_USAGE, "--%s is seconds, over 0 and up to 1000000, not '%s'",
             option->name, text);
    return seconds;
}

static void set_option(const command_option *option, const char *value)
{
    if (option->flag != NULL)
        *option->flag = true;
    if (option->number != NULL)
        *option->number = whole_number(option, value);
    if (option->seconds != NULL)
        *option->seconds = positive_seconds(option, value);
    if (option->text != NULL)
        *option->text = value;
}

/* Returns how many options the table has. */
static int make_names(const command_option *options, struct option *names, char *letters)
{
    int count = 0;
    for (; options[count].name != NULL; count++) {
        assert(count < OPTIONS_MAX);
        int argument = options[count].argument != NULL;
        names[count] = (struct option){options[count].name, argument, NULL, count};
        *letters++ = options[count].letter;
        if (argument)
            *letters++ = ':';
    }
    names[count] = (struct option){"help", no_argument, NULL, 'h'};
    names[count + 1] = (struct option){"version", no_argument, NULL, 'V'};
    memcpy(letters, "hV", sizeof "hV");
    return count;
}

static const command_option *find_option(const command_option *options, int count,
                                         int found)
{
    if (found < count) /* a long name; letters are beyond any count */
        return &options[found];
    int i = 0;
    while (i < count && options[i].letter != found)
        i++;
    return i < count ? &options[i] : NULL;
}

void read_command_line(int argc, char **argv, const char *purpose,
                       const command_option *options)
{
    struct option names[OPTIONS_MAX + 3] = {{0}};
    char letters[2 * OPTIONS_MAX + sizeof "hV"];

    hold_standard_descriptors();
    int count = make_names(options, names, letters);
    argv[0] = program_invocation_short_name; /* with it getopt_long() begins its lines */
    int found;
    while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        const command_option *option = find_option(options, count, found);
        if (option != NULL)
            set_option(option, optarg);
        else if (found == 'h')
            print_help(purpose, options);
        else if (found == 'V')
            print_version();
        else /* getopt_long() has said what is wrong */
            exit(EXIT_USAGE);
    }
    if (optind < argc)
        fail(EXIT_USAGE, "unexpected argument '%s'", argv[optind]);
    check_environment();
}
