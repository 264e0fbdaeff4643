/* SPDX-License-Identifier: MIT */
/* The load client's table of options. */
#include "load/load_options.h"
#include "kit/command_line.h"

#include <stddef.h>

load_options read_options(int argc, char **argv)
{
    load_options given = {"127.0.0.1", NULL, 1234, 1000, 3, 64, 5000, 10, false};
    const command_option options[] = {
        {"connections", 'c', "N", "how many connections at once (1000)",
         .number = &given.connections, .lowest = 1, .highest = 1000000},
        {"messages", 'm', "M", "how many messages each sends (3)", .number = &given.messages,
         .lowest = 1, .highest = 1000000},
        {"size", 's', "BYTES", "the size of a message (64)", .number = &given.size,
         .lowest = 1, .highest = 1000000},
        {"ramp", 'r', "N", "how many new connections per second (5000)", .number = &given.ramp,
         .lowest = 1, .highest = 1000000},
        {"host", 'H', "HOST", "the server's name or address (127.0.0.1)",
         .text = &given.host},
        {"port", 'p', "PORT", "the server's port (1234)", .number = &given.port,
         .lowest = 1, .highest = 65535},
        {"timeout", 't', "SECONDS", "give up after SECONDS without data (10)",
         .seconds = &given.timeout},
        {"json", 'j', "FILE", "also write the result as JSON; - is stdout",
         .text = &given.json},
        {"histogram", 'g', NULL, "print all percentiles of the latency",
         .flag = &given.histogram},
        {0}};
    read_command_line(argc, argv,
                      "Open many connections to an echo server and check what it echoes.",
                      options);
    return given;
}
