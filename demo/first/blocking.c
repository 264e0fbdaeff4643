/* SPDX-License-Identifier: MIT */
/*
 * An echo server for one client at a time: every call waits.
 * cc blocking.c && ./a.out
 * What it leaves out is in ../lessons/01_one_client_server.c, the queue in ../select_loop.c.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(int port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof addr;
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(sock, (void *)&addr, size) < 0 || listen(sock, 100) < 0 ||
        getsockname(sock, (void *)&addr, &size) < 0) {
        perror("cannot listen");
        exit(EXIT_FAILURE);
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return sock;
}

/* Send back what arrived; false when the client is gone. */
static bool echo(int client)
{
    char data[1000];
    ssize_t size = recv(client, data, sizeof data, 0);
    /* Left out: a queue. A slow reader holds us up in send(). */
    return size > 0 &&
           send(client, data, (size_t)size, MSG_NOSIGNAL) == size;
}

int main(int argc, char **argv)
{
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 1234);

    for (;;) {
        int client = accept(listener, NULL, NULL);
        while (echo(client))
            continue;
        close(client);
    }
}
