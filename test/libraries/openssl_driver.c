/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL as a client, driven by lines:
 *
 *     open ID PORT    connect
 *     late ID PORT    connect; what answers a write always comes before the next read
 *     say ID WORDS    send them, with an end of line
 *     close ID        end it
 *
 * What comes is printed as `ID LINE`, and the end, or an error, as `ID -NAME`.
 *
 *     openssl_in_selkie CERTIFICATE
 */
#include "driver.h"
#include "selkie_openssl.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECTIONS = 1000, LITTLE = 100 /* bytes of a record that has more */ };

typedef struct connection connection;

typedef struct {
    driver lines; /* the first member: a pointer to the one is one to the other */
    SSL_CTX *context;
    connection *connections[CONNECTIONS];
} program;

struct connection {
    selkie_ssl tls; /* the first member, too */
    program *owner;
    bool is_late;
    int id, output_size, input_size;
    char output[10000], input[10000];
};

static void end(connection *self)
{
    self->owner->connections[self->id] = NULL;
    selkie_ssl_close(&self->tls);
    driver_add_stranger(&self->owner->lines);
    free(self);
}

static void print_lines(connection *self)
{
    char *line = self->input, *next;
    size_t size = (size_t)self->input_size;

    while ((next = memchr(line, '\n', size)) != NULL) {
        *next++ = '\0';
        printf("%d %s\n", self->id, line);
        size -= (size_t)(next - line);
        line = next;
    }
    memmove(self->input, line, size);
    self->input_size = (int)size;
}

static void wait_for_input(int fd)
{
    struct pollfd input = {.fd = fd, .events = POLLIN};

    driver_check("poll", poll(&input, 1, 60 * 1000) != 1);
}

/* Writes what there is, and reads what comes; 0, or why it ends. */
static int exchange(connection *self)
{
    selkie_ssl *tls = &self->tls;
    int result = 1;

    if (self->output_size > 0)
        result = selkie_ssl_write(tls, self->output, self->output_size);
    if (self->is_late && result == -EAGAIN && (tls->wanted & SEL_EVENT_READ))
        wait_for_input(SSL_get_fd(tls->ssl));
    if (result > 0)
        self->output_size = 0;
    else if (result != -EAGAIN)
        return result == 0 ? -EPIPE : result;
    result = selkie_ssl_read(tls, self->input + self->input_size, LITTLE);
    if (result <= 0)
        return result == -EAGAIN ? 0 : result == 0 ? -EPIPE : result;
    self->input_size += result;
    print_lines(self);
    return 0;
}

static int ready(selkie_ssl *tls)
{
    connection *self = (connection *)tls;
    int error = exchange(self);

    if (error == 0)
        return 1;
    printf("%d -%s\n", self->id, error == -EPIPE ? "end" : sel_strerror(error));
    end(self);
    return 0;
}

static void open_connection(program *self, int id, int port, bool is_late)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connection *added = calloc(1, sizeof *added);
    SSL *ssl = SSL_new(self->context);

    driver_check("socket", fd < 0 || added == NULL || ssl == NULL || !SSL_set_fd(ssl, fd));
    if (connect(fd, (void *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        driver_check("connect", -errno);
    SSL_set_connect_state(ssl);
    added->tls = (selkie_ssl){.sel = self->lines.sel, .ssl = ssl, .ready = ready};
    added->owner = self;
    added->id = id;
    added->is_late = is_late;
    self->connections[id] = added;
    driver_check("selkie_ssl_start", selkie_ssl_start(&added->tls));
}

static void say(connection *self, const char *words)
{
    self->output_size += snprintf(self->output + self->output_size,
                                  sizeof self->output - (size_t)self->output_size, "%s\n",
                                  words);
    selkie_ssl_run(self->tls.sel, self);
}

static void close_connection(connection *self)
{
    SSL_shutdown(self->tls.ssl);
    end(self);
}

static void command(driver *lines, int id, char *word, char *rest)
{
    program *self = (program *)lines;

    ERR_raise(ERR_LIB_USER, 1); /* as others leave one */
    if (strcmp(word, "open") == 0 || strcmp(word, "late") == 0)
        open_connection(self, id, atoi(rest), word[0] == 'l');
    else if (self->connections[id] != NULL && strcmp(word, "say") == 0)
        say(self->connections[id], rest);
    else if (self->connections[id] != NULL)
        close_connection(self->connections[id]);
}

static void no_more(driver *lines)
{
    program *self = (program *)lines;

    for (int i = 0; i < CONNECTIONS; i++)
        if (self->connections[i] != NULL)
            close_connection(self->connections[i]);
}

int main(int argc, char **argv)
{
    static program self = {.lines = {.command = command, .end = no_more}};
    int status;

    signal(SIGPIPE, SIG_IGN);
    self.context = SSL_CTX_new(TLS_client_method());
    driver_check("usage: openssl_in_selkie CERTIFICATE", argc < 2);
    driver_check(argv[1], SSL_CTX_load_verify_locations(self.context, argv[1], NULL) != 1);
    SSL_CTX_set_verify(self.context, SSL_VERIFY_PEER, NULL);
    driver_open(&self.lines);
    status = driver_run(&self.lines);
    SSL_CTX_free(self.context);
    return status;
}
