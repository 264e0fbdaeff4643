/* SPDX-License-Identifier: MIT */
/*
 * What the system allows a client with very many connections.
 *
 * Reached half-way through, either limit would look like a failing server.
 */
#include "kit/resource_limits.h"
#include "kit/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/*
 * For stdio and what libuv opens; and one per OWN_SHARE watched, which the `uv` backend
 * adds.
 */
enum { OWN_DESCRIPTORS = 32, OWN_SHARE = 100 };

void need_descriptors(int count)
{
    rlim_t wanted = (rlim_t)count + (rlim_t)count / OWN_SHARE + OWN_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    if (limit.rlim_max < wanted)
        fail(EXIT_FAILURE,
             "%d of them need %lu descriptors, and the hard limit is %lu: raise it "
             "(ulimit -Hn, as root) or ask for fewer",
             count, (unsigned long)wanted, (unsigned long)limit.rlim_max);
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void need_ports(int count)
{
    int lowest, highest;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file == NULL)
        return;
    int found = fscanf(file, "%d %d", &lowest, &highest);
    fclose(file);
    if (found == 2 && count > highest - lowest + 1)
        fail(EXIT_FAILURE,
             "%d connections need as many ports, and there are %d to take: widen "
             "net.ipv4.ip_local_port_range (sysctl, as root) or ask for fewer",
             count, highest - lowest + 1);
}
