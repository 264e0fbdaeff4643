# SPDX-License-Identifier: MIT
"""What is measured: one function for each kind of work.

A function gets a `Tools` and returns a `Result`.  To add one: write a small
program that prints a JSON object a line, name it in meson.build, write its
function in one of these modules and put it into BENCHMARKS.
"""

import counts
import reactor_counts
import reactors
import servers
import waits

BENCHMARKS = {
    'all-ready': waits.all_ready,
    'all-called': waits.all_called,
    'one-ready': waits.one_ready,
    'chain': waits.chain,
    'echo': servers.echo,
    'churn': servers.churn,
    'changes': counts.changes,
    'toggle': servers.toggle,
    'heap': counts.heap,
    'allocations': counts.allocations,
    'timers': reactors.timers,
    'posts': reactors.posts,
    'instructions': counts.instructions,
    'reactor': reactor_counts.reactor,
    'latency': servers.latency,
    'threads': reactors.threads,
}
