# SPDX-License-Identifier: MIT
"""Echo servers: one process a contender, the client on the other core."""

import contextlib

from tools import Goal, Plot, Result, ratios

BARE = 'epoll'
AGAIN = ', again'  # the same program a second time
NAMES = (BARE, BARE + AGAIN, 'selkie/epoll', 'selkie/uv', 'libuv', 'libuv streams', 'libev',
         'libevent', 'sd-event', 'selectors', 'asyncio')
SLOW = ('selectors', 'asyncio', 'sd-event')
# Connections: [(contender, to which, at most)]
ECHO_LIMITS = {
    1: [('selkie/epoll', BARE, 1.05), ('selkie/uv', BARE, 1.10)],
    **{connections: [
        ('selkie/epoll', BARE, 1.02), ('selkie/uv', BARE, 1.03),
        *((mine, rival, 1.0) for mine in ('selkie/epoll', 'selkie/uv')
          for rival in ('libev', 'libevent'))]
       for connections in (50, 1000, 10000)},
}


def _contenders(tools, program='server', but=()):
    return [name for name in NAMES if name not in but and
            (name in ('selectors', 'asyncio', 'libuv streams') or tools.knows(program, name))]


def _cpu_of(server, client, order):
    before = server.cpu_ns()
    answer = client.ask(order)
    return (server.cpu_ns() - before) / answer['trips'], answer


def _take_turns(tools, names, connections, rounds, order, *mode):
    """({name: CPU ns a trip}, {name: wall ns a trip}) with all servers up at once."""
    with contextlib.ExitStack() as stack:
        pairs = {name: stack.enter_context(
                     tools.server(name.removesuffix(AGAIN), connections, *mode))
                 for name in names}
        for pair in pairs.values():
            _cpu_of(*pair, order)
        samples = tools.interleave(rounds, {
            name: lambda pair=pair: _cpu_of(*pair, order) for name, pair in pairs.items()})
    return ({name: [cpu for cpu, _ in taken] for name, taken in samples.items()},
            {name: [answer['wall'] / answer['trips'] for _, answer in taken]
             for name, taken in samples.items()})


def _one_after_another(tools, names, connections, rounds, order):
    """As above, where all the connections at once are too many."""
    def once(name):
        with tools.server(name.removesuffix(AGAIN), connections) as pair:
            _cpu_of(*pair, order)
            return _cpu_of(*pair, order)

    samples = tools.interleave(rounds, {
        name: lambda name=name: once(name) for name in names})
    return ({name: [cpu for cpu, _ in taken] for name, taken in samples.items()},
            {name: [answer['wall'] / answer['trips'] for _, answer in taken]
             for name, taken in samples.items()})


def _rows(cpu, wall, connections):
    rows = []
    for name in cpu:
        found = ratios(cpu, name, BARE)
        rows.append({
            'contender': name, 'connections': connections, 'ratio': found.median,
            'lower': found.lower, 'upper': found.upper,
            'cpu_ns': sorted(cpu[name])[len(cpu[name]) // 2],
            'trips_a_second': 1e9 / sorted(wall[name])[len(wall[name]) // 2]})
    return rows


def _goals(cpu, connections, limits, what):
    goals = []
    for mine, rival, limit in limits:
        if mine in cpu and rival in cpu:
            found = ratios(cpu, mine, rival)
            goals.append(Goal(f'{what}, {connections} connections, {mine}, {rival} = 1',
                              found.median, limit, found.lower, found.upper))
    return goals


def _table(rows):
    return [[row['contender'], row['connections'], f"{row['ratio']:.3f}",
             f"{row['lower']:.3f}", f"{row['upper']:.3f}", f"{row['cpu_ns']:.0f}",
             f"{row['trips_a_second']:.0f}"] for row in rows]


CONTROL = f'"{BARE}{AGAIN}" is the same program once more: what differs less is noise.'
COLUMNS = ['', 'connections', 'ratio', 'from', 'to', 'CPU ns a trip', 'trips/s']


def echo(tools):
    """Server CPU a round trip, bare epoll = 1."""
    rows, goals = [], []
    rounds = 9 if tools.quick else 21
    for connections, trips in ((1, 2000), (50, 5000), (1000, 10000)):
        cpu, wall = _take_turns(tools, _contenders(tools), connections, rounds,
                                f'echo {trips}')
        rows += _rows(cpu, wall, connections)
        goals += _goals(cpu, connections, ECHO_LIMITS[connections], 'echo')
    cpu, wall = _one_after_another(tools, _contenders(tools, but=SLOW), 10000,
                                   3 if tools.quick else 9, 'echo 20000')
    rows += _rows(cpu, wall, 10000)
    goals += _goals(cpu, 10000, ECHO_LIMITS[10000], 'echo')
    with tools.server('selkie/poll', 10000) as (_, client):
        client.ask('echo 10000')
    goals += [Goal(f'echo, 10000 connections, {name}, answers with a byte lost or wrong', 0, 0)
              for name in ('selkie/uv', 'selkie/epoll', 'selkie/poll')]
    curves = {}
    for row in rows:
        curves.setdefault(row['contender'], []).append((row['connections'], row['ratio']))
    return Result(
        title=f"echo: the server's CPU a round trip, bare epoll = 1: median of {rounds}",
        columns=COLUMNS, table=_table(rows), rows=rows, goals=goals,
        plots=[Plot('echo', "The server's CPU a round trip, bare epoll = 1", 'connections',
                    'times a bare epoll server', curves)],
        note=f'The client compares every answer; a wrong one ends the benchmark. Round trips a '
             f'second are of a client that has one core, the server the other. {CONTROL}',
    )


def toggle(tools):
    """READ, READ and WRITE, READ again in every exchange."""
    rounds = 9 if tools.quick else 21
    names = _contenders(tools, but=('libuv streams', 'selectors', 'asyncio'))
    cpu, wall = _take_turns(tools, names, 50, rounds, 'echo 5000', 'toggle')
    rows = _rows(cpu, wall, 50)
    return Result(
        title=f'echo with the interest changed twice an exchange: median of {rounds}',
        columns=COLUMNS, table=_table(rows), rows=rows, goals=[])


def churn(tools):
    """Accept, one exchange, close: connections a second."""
    rounds = 9 if tools.quick else 21
    cpu, wall = _take_turns(tools, _contenders(tools), 0, rounds, 'churn 500')
    speed = {name: [1 / ns for ns in taken] for name, taken in wall.items()}
    goals = []
    for name, least in (('selkie/epoll', 0.97), ('selkie/uv', 0.90)):
        found = ratios(speed, name, BARE)
        goals.append(Goal(f'connections a second, {name}, bare epoll = 1', found.median,
                          least, found.lower, found.upper, at_least=True))
    rows = []
    for name in speed:
        found = ratios(speed, name, BARE)
        rows.append({'contender': name, 'ratio': found.median, 'lower': found.lower,
                     'upper': found.upper,
                     'connections_a_second': sorted(speed[name])[rounds // 2] * 1e9,
                     'cpu_ns': sorted(cpu[name])[rounds // 2]})
    return Result(
        title=f'accept, one exchange, close: connections a second, epoll = 1: '
              f'median of {rounds}',
        columns=['', 'ratio', 'from', 'to', 'connections/s', 'CPU ns each'],
        table=[[row['contender'], f"{row['ratio']:.3f}", f"{row['lower']:.3f}",
                f"{row['upper']:.3f}", f"{row['connections_a_second']:.0f}",
                f"{row['cpu_ns']:.0f}"] for row in rows],
        rows=rows, goals=goals)


PERCENTILES = ('p50', 'p90', 'p99', 'p99.9')


def latency(tools):
    """One round trip at a time beside 10,000 connections that are idle."""
    trips = 2000 if tools.quick else 20000
    rows = []
    for name in _contenders(tools):
        with tools.server(name.removesuffix(AGAIN), 10000) as (_, client):
            client.ask(f'ping {trips // 10}')
            answer = client.ask(f'ping {trips}')
        rows.append({'contender': name, **{p: answer[p] for p in PERCENTILES}})
    return Result(
        title=f'one of 10,000 connections speaks: microseconds of {trips} round trips',
        columns=['', *PERCENTILES],
        table=[[row['contender'], *(f'{row[p] / 1000:.1f}' for p in PERCENTILES)]
               for row in rows],
        rows=rows, goals=[],
        note='One contender after the other; the last columns are mostly the machine.')
