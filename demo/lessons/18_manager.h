/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing.Manager: a process that has a dict and a list, and serves them to
 * other processes over a socket.
 *
 * One loop carries out one request at a time, so no request sees another half done.
 */
#ifndef DEMO_MANAGER_H
#define DEMO_MANAGER_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

typedef struct {
    pid_t pid;
    int life; /* the manager ends when this is closed */
    struct sockaddr_un address;
    socklen_t size;
} manager;

manager start_manager(void);

/* Waits until it has ended. */
void stop_manager(const manager *server);

int connect_to_manager(const manager *server);

/*
 * Ask for something and wait for the answer, which is one line:
 *   set KEY NUMBER, add KEY NUMBER, append NUMBER, dict, list
 */
void ask_manager(int fd, const char *request, char *ret_answer, size_t size);

#endif
