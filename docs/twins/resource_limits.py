# SPDX-License-Identifier: MIT
"""What the system allows a client with very many connections, looked at beforehand.

Met half-way through, both limits look like a failing server.  The C side of this file
is demo/kit/resource_limits.c.
"""
import resource

from fail import EXIT_FAILURE, fail

OWN_DESCRIPTORS, OWN_SHARE = 32, 100  # generous; the same as in C
PORT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"


def need_descriptors(count):
    """Raise the soft limit, so that this process may have that many."""
    wanted = count + count // OWN_SHARE + OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft in range(wanted) and hard in range(wanted):
        fail(EXIT_FAILURE,
             f"{count} of them need {wanted} descriptors, and the hard limit is "
             f"{hard}: raise it (ulimit -Hn, as root) or ask for fewer")
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def need_ports(count):
    """Every connection to one server takes a port of this machine."""
    try:
        with open(PORT_RANGE) as file:
            lowest, highest = map(int, file.read().split())
    except OSError:
        return
    ports = highest - lowest + 1
    if count > ports:
        fail(EXIT_FAILURE,
             f"{count} connections need as many ports, and there are {ports} to take: "
             "widen net.ipv4.ip_local_port_range (sysctl, as root) or ask for fewer")
