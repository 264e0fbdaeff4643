/* SPDX-License-Identifier: MIT */
/*
 * A TLS connection of OpenSSL on a selector: a file to copy.
 *
 * To read may mean to wait for writing, and the other way round; and what OpenSSL has read
 * ahead makes no descriptor ready.  So the program does not watch the socket.  It has one
 * function, `ready`, that does what there is to do by selkie_ssl_read() and selkie_ssl_write()
 * and is called again
 *
 *   when what one of them waited for (-EAGAIN) has come,
 *   in the next pass, when the last read or the last write succeeded: there may be more;
 *     and when the handshake has ended.
 *
 * A `ready` that calls neither is not called again.  What there is to do from elsewhere, new
 * output say, begins with selkie_ssl_run(sel, tls).
 *
 * The program ignores SIGPIPE, for OpenSSL writes with write(2).
 */
#pragma once
#include <selkie.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

typedef struct selkie_ssl {
    sel_selector *sel;
    SSL *ssl;
    int (*ready)(struct selkie_ssl *tls); /* 0: it has closed the connection */
    sel_timer timer;
    int wanted, again; /* the events that its calls wait for; which may go on at once */
} selkie_ssl;

/*
 * What a call of OpenSSL's has given, as recv() and send() would say it: a count, 0 at the
 * end, else a negative errno.  -EPROTO: ERR_get_error() knows more.
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

/* Reads; the first call makes the handshake as well.  For `ready` alone. */
static inline int selkie_ssl_read(selkie_ssl *tls, void *data, int size)
{
    ERR_clear_error(); /* else SSL_get_error() may speak of another connection */
    return selkie_ssl_result(tls, SSL_read(tls->ssl, data, size), SEL_EVENT_READ);
}

/*
 * Writes all of at least a byte, or says -EAGAIN: then the next call is with the same bytes,
 * from wherever, and perhaps more behind them.  For `ready` alone.
 */
static inline int selkie_ssl_write(selkie_ssl *tls, const void *data, int size)
{
    ERR_clear_error();
    return selkie_ssl_result(tls, SSL_write(tls->ssl, data, size), SEL_EVENT_WRITE);
}

static inline sel_callback selkie_ssl_on;

/*
 * Calls `ready`, and then watches for what its calls wait for.  A read may have ended the
 * handshake that a write before it waited for, and have taken all that came: no event tells.
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
 * Begins; `sel` and `ready` are set, and `ssl` has a nonblocking socket by SSL_set_fd(), which
 * may be connecting, and knows by SSL_set_accept_state() or SSL_set_connect_state() which end
 * it is.  Returns 0 or a negative errno.
 */
static inline int selkie_ssl_start(selkie_ssl *tls)
{
    SSL_set_mode(tls->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    BIO_set_close(SSL_get_rbio(tls->ssl), BIO_CLOSE);
    return sel_register(tls->sel, SSL_get_fd(tls->ssl), SEL_EVENT_WRITE, selkie_ssl_on, tls);
}

/*
 * Ends, with the socket; from anywhere.  After the last byte, not after an error, comes
 * SSL_shutdown(tls->ssl): it tells the other end that this was all.
 */
static inline void selkie_ssl_close(selkie_ssl *tls)
{
    sel_cancel(tls->sel, tls->timer);
    sel_unregister(tls->sel, SSL_get_fd(tls->ssl));
    SSL_free(tls->ssl);
}
