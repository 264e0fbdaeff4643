/* SPDX-License-Identifier: MIT */
/*
 * together - run several commands side by side and tell their lines apart.
 *
 *     $ together -t 60 './run echo' 'tail -f log'
 *       0.152 1| listening on 127.0.0.1:1234
 *       0.153 2| the newest line of the log
 *
 * Whole lines are printed, each after the seconds since the start and the number of its
 * command.  On Ctrl-C, on SIGTERM and when the time of -t is up, all commands are asked to
 * end; after GRACE more seconds those that have not are killed.  The exit status is that of
 * the first command that failed, as a shell reports it.
 */
#include <selkie.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 4096, GRACE = 2 }; /* bytes, seconds */

typedef struct {
    pid_t pid; /* also its process group; 0 after it has ended */
    int number, status, output; /* the pipe that it writes to; -1 when closed */
    size_t used; /* of the line that is not complete yet */
    char line[LINE];
} command;

static command *commands;
static int count, running;
static double start;

static void signal_all(int signum)
{
    for (command *c = commands; c < commands + count; c++)
        if (c->pid != 0)
            kill(-c->pid, signum);
}

static void fail(const char *what, int error)
{
    signal_all(SIGTERM);
    fprintf(stderr, "together: %s: %s\n", what, sel_strerror(error));
    exit(1);
}

static void check(const char *what, int result)
{
    if (result < 0)
        fail(what, result);
}

static void print_line(sel_selector *sel, const command *c, const char *line,
                       size_t length)
{
    printf("%7.3f %d| %.*s\n", sel_time(sel) - start, c->number, (int)length, line);
}

/* Print all complete lines, or everything if the buffer is full. */
static void print_lines(sel_selector *sel, command *c)
{
    char *line = c->line, *end = c->line + c->used, *newline;

    while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        print_line(sel, c, line, (size_t)(newline - line));
        line = newline + 1;
    }
    c->used = (size_t)(end - line);
    if (c->used == LINE) {
        print_line(sel, c, line, LINE);
        c->used = 0;
    }
    memmove(c->line, line, c->used);
    fflush(stdout);
}

/*
 * A command is not waited for while its output is open: until then its process group's
 * number stays taken, and can safely be signalled.
 */
static void collect(sel_selector *sel, void *data)
{
    int status;

    (void)data;
    for (command *c = commands; c < commands + count; c++) {
        if (c->pid == 0 || c->output >= 0 || waitpid(c->pid, &status, WNOHANG) <= 0)
            continue;
        c->pid = 0;
        c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        running--;
    }
    if (running == 0)
        sel_stop(sel);
}

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    command *c = key->data;
    ssize_t size = read(key->fd, c->line + c->used, LINE - c->used);

    (void)mask;
    if (size > 0) {
        c->used += (size_t)size;
        print_lines(sel, c);
        return;
    }
    if (c->used > 0)
        print_line(sel, c, c->line, c->used);
    sel_unregister(sel, key->fd);
    close(key->fd);
    c->output = -1;
    collect(sel, NULL);
}

static void kill_all(sel_selector *sel, void *data)
{
    (void)sel, (void)data;
    signal_all(SIGKILL);
}

static void end_all(sel_selector *sel, void *data)
{
    (void)data;
    signal_all(SIGTERM);
    check("a timer", sel_call_later(sel, GRACE, kill_all, NULL, NULL));
}

static void be_child(const char *text, int output)
{
    setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (freopen("/dev/null", "r", stdin) != NULL)
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    _exit(127);
}

/* Whatever the library has open is closed when the child becomes sh. */
static void start_command(sel_selector *sel, command *c, const char *text)
{
    int ends[2];

    if (pipe(ends) < 0 || (c->pid = fork()) < 0)
        fail(text, errno);
    if (c->pid == 0) {
        close(ends[0]);
        be_child(text, ends[1]);
    }
    setpgid(c->pid, c->pid);
    close(ends[1]);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    c->output = ends[0];
    running++;
    check(text, sel_register(sel, ends[0], SEL_EVENT_READ, read_cb, c));
}

static int first_failure(void)
{
    for (command *c = commands; c < commands + count; c++)
        if (c->status != 0)
            return c->status;
    return 0;
}

/* Returns the seconds of -t, or 0; the commands start at argv[optind]. */
static double read_options(int argc, char **argv)
{
    double seconds = 0;
    char *end = "";
    int option;

    opterr = 0;
    while ((option = getopt(argc, argv, "+t:")) == 't') {
        seconds = strtod(optarg, &end);
        if (*end != '\0' || !(seconds > 0))
            break;
    }
    if (option == -1 && optind < argc)
        return seconds;
    fprintf(stderr, "usage: together [-t SECONDS] COMMAND...\n");
    exit(2);
}

int main(int argc, char **argv)
{
    double seconds = read_options(argc, argv);
    sel_selector *sel;

    commands = calloc((size_t)(argc - optind), sizeof *commands);
    if (commands == NULL)
        fail("commands", errno);
    count = argc - optind;
    check("a selector", sel_open(SEL_BACKEND_DEFAULT, &sel));
    check("SIGCHLD", sel_add_signal_handler(sel, SIGCHLD, collect, NULL));
    check("SIGINT", sel_add_signal_handler(sel, SIGINT, end_all, NULL));
    check("SIGTERM", sel_add_signal_handler(sel, SIGTERM, end_all, NULL));
    start = sel_time(sel);
    for (int i = 0; i < count; i++) {
        commands[i].number = i + 1;
        start_command(sel, &commands[i], argv[optind + i]);
    }
    if (seconds > 0)
        check("-t", sel_call_later(sel, seconds, end_all, NULL, NULL));
    check("waiting", sel_run(sel));
    sel_close(sel);
    return first_failure();
}
