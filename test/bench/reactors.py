# SPDX-License-Identifier: MIT
"""What the reactor adds: timers, calls from other threads, a reactor a thread."""

import re
import subprocess

from tools import BenchmarkError, Child, Goal, Result, ratios

TIMERS = 1000000
PEERS = 'libuv', 'libev', 'libevent'


def timers(tools):
    """A million timers armed and cancelled, as timeouts of connections are."""
    count = TIMERS // 10 if tools.quick else TIMERS
    names = [name for name in ('selkie/uv', *PEERS)
             if tools.knows('reactor', name)]
    works = {name: lambda name=name: tools.ask('reactor', name, 'cancel', count)[0]['ns']
             for name in names}
    works['asyncio'] = lambda: tools.ask_peer('timers', count)['ns']
    samples = tools.interleave(5, works)
    rows = [{'contender': name, 'ns': sorted(taken)[2]} for name, taken in samples.items()]
    return Result(
        title=f'{count} timers armed, then cancelled: CPU ns each, median of 5',
        columns=['', 'ns'], table=[[row['contender'], f"{row['ns']:.0f}"] for row in rows],
        rows=rows, goals=[],
        note="selkie's are found again by an id that is never used twice.")


def posts(tools):
    """Calls from other threads."""
    each = 20000 if tools.quick else 200000
    rows = []
    for threads in (1, 4):
        names = [name for name in ('selkie/uv', 'selkie/epoll', 'epoll', *PEERS)
                 if tools.knows('posts', name)]
        works = {name: lambda name=name: tools.ask('posts', name, threads, each)[0]['ns']
                 for name in names}
        works['asyncio'] = lambda: tools.ask_peer('posts', threads, each // 4)['ns']
        samples = tools.interleave(7, works)
        rows += [{'contender': name, 'threads': threads, 'calls_a_second': 1e9 / sorted(taken)[3]}
                 for name, taken in samples.items()]
    return Result(
        title='calls from other threads a second: median of 7',
        columns=['', 'threads', 'calls/s'],
        table=[[row['contender'], row['threads'], f"{row['calls_a_second']:.0f}"]
               for row in rows],
        rows=rows, goals=[],
        note='All but selkie with a list under a mutex, as a program would write it.')


def _run_server(tools, threads, connections, trips):
    """CPU ns a trip of the demo's echo server, and the client's share of the time."""
    server = Child([tools.build / 'demo' / 'echo_server', '--port', '0', '--threads', threads],
                   '0-1')
    try:
        port = re.search(r'(\d+)\s*$', server.read())[1]
        client = Child([tools.path('client'), port, connections], '0-1')
        try:
            client.read()
            client.ask(f'echo {trips}')
            before = server.cpu_ns()
            answer = client.ask(f'echo {trips}')
            return ((server.cpu_ns() - before) / trips, answer['cpu'] / answer['wall'],
                    trips * 1e9 / answer['wall'])
        finally:
            client.close()
    finally:
        server.process.terminate()
        server.close()


def threads(tools):
    """echo_server --threads 2 against one thread: CPU a round trip."""
    rounds = 5 if tools.quick else 15
    try:
        samples = tools.interleave(rounds, {
            count: lambda count=count: _run_server(tools, count, 50, 10000)
            for count in (1, 2)})
    except (OSError, subprocess.SubprocessError, TypeError) as error:
        raise BenchmarkError(f'echo_server: {error}') from error
    cpu = {count: [sample[0] for sample in taken] for count, taken in samples.items()}
    found = ratios(cpu, 2, 1)
    rows = [{'threads': count, 'cpu_ns': sorted(cpu[count])[rounds // 2],
             'client_share': sorted(sample[1] for sample in taken)[rounds // 2],
             'trips_a_second': sorted(sample[2] for sample in taken)[rounds // 2]}
            for count, taken in samples.items()]
    return Result(
        title=f'the echo server with --threads N, 50 connections: median of {rounds}',
        columns=['threads', 'CPU ns a trip', "client's share of a core", 'trips/s'],
        table=[[row['threads'], f"{row['cpu_ns']:.0f}", f"{row['client_share']:.2f}",
                f"{row['trips_a_second']:.0f}"] for row in rows],
        rows=rows,
        goals=[Goal('CPU a round trip of two threads, one thread = 1', found.median, 1.1,
                    found.lower, found.upper)],
        note='Server and client share two cores: throughput says what is left for both.')
