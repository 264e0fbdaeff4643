/* SPDX-License-Identifier: MIT */
/*
 * The echo server in a few lines: the C side of the README.  Use echo_server.c for
 * real: it keeps what a slow client does not take yet.
 */
// [readme]
#include <selkie.h>
#include <netinet/in.h>
#include <unistd.h>

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    char data[1000];
    ssize_t size = recv(key->fd, data, sizeof data, 0);
    if (size <= 0 || send(key->fd, data, size, MSG_NOSIGNAL) < size) {
        sel_unregister(sel, key->fd);
        close(key->fd);
    }
}

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    int conn = accept(key->fd, NULL, NULL);
    if (sel_register(sel, conn, SEL_EVENT_READ, read_cb, NULL) < 0)
        close(conn);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(1234),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    sel_selector *sel;

    if (bind(sock, (void *)&address, sizeof address) < 0 || listen(sock, 100) < 0)
        return 1;

    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 ||
        sel_register(sel, sock, SEL_EVENT_READ, accept_cb, NULL) < 0)
        return 1;
    while (sel_select(sel, SEL_FOREVER, NULL) >= 0)
        sel_dispatch(sel);
}
// [/readme]
