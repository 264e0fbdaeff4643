/* SPDX-License-Identifier: MIT */
/*
 * A TLS echo server with OpenSSL; SIGINT or SIGTERM ends it.  It reads from a client only
 * what it can send back.
 *
 *     openssl CERTIFICATE KEY [PORT]
 */
#include "selkie_openssl.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    selkie_ssl tls; /* the first member, so a pointer to either is one to both */
    int size;       /* how much has not been sent back yet */
    char data[16384];
} connection;

/* Always returns 0. */
static int end(connection *self)
{
    selkie_ssl_close(&self->tls);
    free(self);
    return 0;
}

/* Read if everything has been sent back, then send back what was read. */
static int echo(selkie_ssl *tls)
{
    connection *self = (connection *)tls;
    int result;

    if (self->size == 0) {
        result = selkie_ssl_read(tls, self->data, sizeof self->data);
        if (result == -EAGAIN)
            return 1;
        if (result == 0)
            SSL_shutdown(tls->ssl);
        if (result <= 0)
            return end(self);
        self->size = result;
    }
    result = selkie_ssl_write(tls, self->data, self->size);
    if (result == -EAGAIN)
        return 1;
    self->size = 0;
    return result > 0 ? 1 : end(self);
}

/* Accept a client; if anything it needs can't be had, close it again. */
static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    int fd = accept4(key->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    connection *self = fd < 0 ? NULL : calloc(1, sizeof *self);
    SSL *ssl = self == NULL ? NULL : SSL_new(key->data);

    (void)mask;
    if (ssl == NULL || !SSL_set_fd(ssl, fd)) {
        SSL_free(ssl);
        free(self);
        if (fd >= 0)
            close(fd);
        return;
    }
    SSL_set_accept_state(ssl);
    self->tls = (selkie_ssl){.sel = sel, .ssl = ssl, .ready = echo};
    if (selkie_ssl_start(&self->tls) < 0)
        end(self);
}

static int listen_on(int port, int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (void *)&address, size) < 0 || listen(fd, 1000) < 0 ||
        getsockname(fd, (void *)&address, &size) < 0)
        return -errno;
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void stop(sel_selector *sel, void *data)
{
    (void)data;
    sel_stop(sel);
}

/* Close every connection, and the listener. */
static void end_all(sel_selector *sel, int listener)
{
    sel_key key;

    sel_unregister(sel, listener);
    close(listener);
    while (sel_get_map(sel, &key, 1) > 0)
        end(key.data);
}

int main(int argc, char **argv)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    sel_selector *sel;
    int port = 0, listener;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 3 || context == NULL ||
        SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "usage: openssl CERTIFICATE KEY [PORT]\n");
        return 2;
    }
    listener = listen_on(argc > 3 ? atoi(argv[3]) : 0, &port);
    int error = listener < 0 ? listener : sel_open(SEL_BACKEND_DEFAULT, &sel);
    if (error == 0)
        error = sel_register(sel, listener, SEL_EVENT_READ, accept_cb, context);
    if (error == 0)
        error = sel_add_signal_handler(sel, SIGINT, stop, NULL);
    if (error == 0)
        error = sel_add_signal_handler(sel, SIGTERM, stop, NULL);
    if (error < 0) {
        fprintf(stderr, "openssl: %s\n", sel_strerror(error));
        return 1;
    }
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);

    sel_run(sel);

    end_all(sel, listener);
    sel_close(sel);
    SSL_CTX_free(context);
    return 0;
}
