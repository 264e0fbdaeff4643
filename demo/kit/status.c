/* SPDX-License-Identifier: MIT */
/*
 * The terminal of the status view.
 *
 * It is opened again, to get an open file of its own: setting O_NONBLOCK on the one
 * that the shell passed would set it for the shell too.  A picture is drawn only when
 * the last one has been written completely, so at most one is held here.
 */
#include "kit/status.h"
#include "kit/bytearray.h"
#include "kit/listen.h"
#include "kit/nonblocking.h"
#include "kit/status_view.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COLUMNS = 80, ROWS = 24 };

/* The alternate screen, with cursor and wrapping off; and back. */
static const char ENTER[] = "\033[?1049h\033[?25l\033[?7l";
static const char LEAVE[] = "\033[?7h\033[?25h\033[?1049l";

struct status {
    int terminal;
    bool entered;
    double began, drawn;
    char title[128];
    status_view view;
    bytearray queue;
    int reactors;
    meter meters[];
};

static status *to_close; /* exit() has no other way to find it */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && *value != '\0';
}

static bool is_terminal(void)
{
    const char *term = getenv("TERM");
    bool is_known = term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
    return is_known && isatty(STDOUT_FILENO);
}

/* Without /proc, writing to the terminal blocks, as in any other program. */
static int open_terminal(void)
{
    int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

static void close_at_exit(void)
{
    status_close(to_close);
}

status *status_open(int reactors)
{
    if (!is_terminal())
        return NULL;
    status *self = calloc(1, sizeof *self + (size_t)reactors * sizeof *self->meters);
    if (self == NULL || atexit(close_at_exit) != 0)
        fail(EXIT_FAILURE, "cannot show a status: %s", strerror(ENOMEM));
    self->reactors = reactors;
    self->terminal = open_terminal();
    if (self->terminal < 0)
        fail(EXIT_FAILURE, "cannot open the terminal: %s", strerror(errno));
    setlocale(LC_CTYPE, "");
    self->view = (status_view){
        .title = self->title,
        .reactors = reactors,
        .colours = !is_set("NO_COLOR"), /* https://no-color.org */
        .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
    to_close = self;
    return self;
}

meter *status_meter(status *self, int reactor)
{
    return self != NULL ? &self->meters[reactor] : NULL;
}

static void send_queued(status *self)
{
    bytearray *queue = &self->queue;
    if (queue->size == 0)
        return;
    ssize_t sent = write(self->terminal, bytearray_bytes(queue), queue->size);
    if (sent > 0)
        bytearray_remove(queue, (size_t)sent);
    else if (sent < 0 && !would_block())
        bytearray_clear(queue); /* it has hung up; the next picture will notice again */
}

static void look_at_size(status *self)
{
    struct winsize size = {0};
    ioctl(self->terminal, TIOCGWINSZ, &size);
    /*
     * One column less: terminals lose what is in the last one when the rest of a line
     * is erased.
     */
    self->view.columns = (size.ws_col > 0 ? size.ws_col : COLUMNS) - 1;
    self->view.rows = size.ws_row > 0 ? size.ws_row : ROWS;
}

static bool is_in_background(const status *self)
{
    pid_t foreground = tcgetpgrp(self->terminal);
    return foreground > 0 && foreground != getpgrp();
}

static void print_picture(status *self, FILE *file)
{
    if (!self->entered)
        fputs(ENTER, file);
    self->entered = true;
    fputs("\033[H", file);
    look_at_size(self);
    status_view_print(&self->view, file);
}

static void draw(sel_selector *sel, void *data)
{
    status *self = data;
    send_queued(self);
    if (self->queue.size > 0 || is_in_background(self))
        return;
    double now = sel_time(sel);
    self->view.before = self->view.now;
    self->view.interval = now - self->drawn;
    self->view.up = now - self->began;
    self->drawn = now;
    meter_read(self->meters, self->reactors, &self->view.now);
    char *picture = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&picture, &size);
    if (file == NULL)
        return;
    print_picture(self, file);
    if (fclose(file) == 0)
        bytearray_extend(&self->queue, picture, size);
    free(picture);
    send_queued(self);
}

/* What the terminal does not take now is lost: nothing here waits for it. */
static void leave_terminal(status *self)
{
    bytearray_clear(&self->queue);
    if (self->entered && !is_in_background(self))
        (void)!write(self->terminal, LEAVE, sizeof LEAVE - 1);
    self->entered = false;
}

/* ^Z: the shell gets its screen back, and the view starts again when the program continues. */
static void suspend(sel_selector *sel, void *data)
{
    (void)sel;
    leave_terminal(data);
    kill(getpid(), SIGSTOP);
}

int status_start(status *self, sel_selector *sel, int listener)
{
    if (self == NULL)
        return 0;
    char address[NI_MAXHOST + sizeof "[]:65535"];
    name_listening(listener, address, sizeof address);
    snprintf(self->title, sizeof self->title, "%s on %.64s, %s, %d reactor%s",
             program_invocation_short_name, address, sel_backend_name(sel),
             self->reactors, self->reactors == 1 ? "" : "s");
    self->began = self->drawn = sel_time(sel);
    int error = sel_add_signal_handler(sel, SIGTSTP, suspend, self);
    if (error == 0)
        error = sel_call_every(sel, METER_INTERVAL, draw, self, NULL);
    return error == 0 ? sel_call_soon(sel, draw, self) : error;
}

void status_close(status *self)
{
    if (self == NULL)
        return;
    leave_terminal(self);
    close(self->terminal);
    free(self);
    to_close = NULL;
}
