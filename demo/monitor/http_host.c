/* SPDX-License-Identifier: MIT */
/* No name is looked up: the attacker's own name server would answer. */
#include "monitor/http_host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* Cuts port and brackets off "name", "name:80", "[::1]" and "[::1]:80". */
static bool cut_name(const char *host, char name[NI_MAXHOST])
{
    bool bracketed = host[0] == '[';
    const char *start = host + bracketed;
    size_t size = strcspn(start, bracketed ? "]" : ":");
    const char *rest = start + size;
    if (bracketed && *rest++ != ']')
        return false;
    if (size == 0 || size >= NI_MAXHOST || (*rest != '\0' && *rest++ != ':'))
        return false;
    snprintf(name, NI_MAXHOST, "%.*s", (int)size, start);
    return rest[strspn(rest, "0123456789")] == '\0';
}

static bool is_loopback(const char *name)
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, name, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127;
    return strcasecmp(name, "localhost") == 0 || strcmp(name, "::1") == 0;
}

static bool is_address_of(int fd, const char *name)
{
    static const char mapped[] = "::ffff:"; /* an IPv4 address on an IPv6 socket */
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char text[NI_MAXHOST];
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        getnameinfo((struct sockaddr *)&address, size, text, sizeof text, NULL, 0,
                    NI_NUMERICHOST) != 0)
        return false;
    size_t prefix = strncmp(text, mapped, strlen(mapped)) == 0 ? strlen(mapped) : 0;
    return strcasecmp(text + prefix, name) == 0;
}

bool is_own_host(const char *host, int fd, const char *own)
{
    char name[NI_MAXHOST];
    return cut_name(host, name) && (is_loopback(name) || strcasecmp(name, own) == 0 ||
                                    is_address_of(fd, name));
}
