/* SPDX-License-Identifier: MIT */
/*
 * An OpenSSL connection on a selector: a file to copy.
 *
 * Reading may have to wait until the socket can be written, and the other way round; and
 * what OpenSSL has read ahead makes no descriptor ready.  So the program does not watch the
 * socket.  It has one function, `ready`, which does whatever there is to do with
 * selkie_ssl_read() and selkie_ssl_write().  It is called again
 *
 *   when whatever one of them waited for (-EAGAIN) is ready,
 *   in the next pass if the last read or the last write succeeded, as there may be more,
 *     or if the handshake has ended.
 *
 * If `ready` calls neither, it is not called again.  To do something from elsewhere, such
 * as sending new output, call selkie_ssl_run(sel, tls).
 *
 * The program must ignore SIGPIPE, because OpenSSL writes with write(2).
 */
#pragma once
#include <selkie.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

typedef struct selkie_ssl {
    sel_selector *sel;
    SSL *ssl;
    int (*ready)(struct selkie_ssl *tls); /* returns 0 if it has closed the connection */
    sel_timer timer;
    int wanted, again; /* events that its calls wait for; that may go on at once */
} selkie_ssl;

/*
 * The result of an OpenSSL call, the way recv() and send() would put it: a count, 0 at the
 * end, else a negative errno.  For -EPROTO, ERR_get_error() knows more.
 */
static inline int selkie_ssl_result(selkie_ssl *tls, int result, int event)
{
    int error = SSL_get_error(tls->ssl, result);

    tls->again = error == SSL_ERROR_NONE ? tls->again | event : tls->again & ~event;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return error == SSL_ERROR_SYSCALL ? -errno : error == SSL_ERROR_SSL ? -EPROTO : result;
    tls->wanted |= error == SSL_ERROR_WANT_READ ? SEL_EVENT_READ : SEL_EVENT_WRITE;
    return -EAGAIN;
}

/* Read; the first call also does the handshake.  Only for use in `ready`. */
static inline int selkie_ssl_read(selkie_ssl *tls, void *data, int size)
{
    ERR_clear_error(); /* else SSL_get_error() may report another connection's error */
    return selkie_ssl_result(tls, SSL_read(tls->ssl, data, size), SEL_EVENT_READ);
}

/*
 * Write all the data, at least one byte, or return -EAGAIN: then the next call must start
 * with the same bytes, at any address, and may have more after them.  Only for use in
 * `ready`.
 */
static inline int selkie_ssl_write(selkie_ssl *tls, const void *data, int size)
{
    ERR_clear_error();
    return selkie_ssl_result(tls, SSL_write(tls->ssl, data, size), SEL_EVENT_WRITE);
}

static inline sel_callback selkie_ssl_on;

/*
 * Call `ready`, then watch for whatever its calls wait for.  A read may have ended the
 * handshake that an earlier write waited for, and have taken all the input: no event shows
 * that.
 */
static inline void selkie_ssl_run(sel_selector *sel, void *data)
{
    selkie_ssl *tls = data;
    int was_in_handshake = SSL_in_init(tls->ssl);

    sel_cancel(sel, tls->timer);
    tls->wanted = tls->again = 0;
    if (!tls->ready(tls))
        return;
    sel_modify(sel, SSL_get_fd(tls->ssl), tls->wanted, selkie_ssl_on, tls);
    if (tls->again || (was_in_handshake && !SSL_in_init(tls->ssl)))
        sel_call_later(sel, 0, selkie_ssl_run, tls, &tls->timer);
}

/* The socket is ready. */
static inline void selkie_ssl_on(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    selkie_ssl_run(sel, key->data);
}

/*
 * Start; `sel` and `ready` are set, and `ssl` has a nonblocking socket, by SSL_set_fd(),
 * that may still be connecting, and knows, by SSL_set_accept_state() or
 * SSL_set_connect_state(), which end it is.  Returns 0 or a negative errno.
 */
static inline int selkie_ssl_start(selkie_ssl *tls)
{
    SSL_set_mode(tls->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    BIO_set_close(SSL_get_rbio(tls->ssl), BIO_CLOSE);
    return sel_register(tls->sel, SSL_get_fd(tls->ssl), SEL_EVENT_WRITE, selkie_ssl_on, tls);
}

/*
 * End the connection and close its socket, from anywhere.  After the last byte, but not
 * after an error, call SSL_shutdown(tls->ssl) first: it tells the other end that this was
 * all.
 */
static inline void selkie_ssl_close(selkie_ssl *tls)
{
    sel_cancel(tls->sel, tls->timer);
    sel_unregister(tls->sel, SSL_get_fd(tls->ssl));
    SSL_free(tls->ssl);
}
