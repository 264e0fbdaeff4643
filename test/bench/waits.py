# SPDX-License-Identifier: MIT
"""What a wait costs: all ready, one ready of many, and the chain of pipes."""

from tools import Goal, Plot, Result, ratios

LIMIT = 1.25
JUDGED = ('selkie/uv', 'selkie/epoll')
PIPES = (100, 100), (1000, 100), (1000, 1000), (5000, 100)  # pipes, active
WRITES = 20000


def all_ready(tools):
    """One look at N of N ready descriptors against one bare epoll_wait().

    With few ready there is little to spread the fixed part of a call over, and
    bare libuv is above the limit too: shown, not judged.
    """
    rounds = 31 if tools.quick else 101
    sizes = (1, 100, 2000, 9000) if tools.quick else (1, 10, 100, 500, 1000, 2000, 5000, 9000)
    rows = [row for ready in sizes for row in tools.rows('cost', ready, rounds)]
    curves = {}
    for row in rows:
        curves.setdefault(row['contender'], []).append((row['ready'], row['ratio']))
    return Result(
        title=f'one look, all ready, epoll_wait = 1: median of {rounds}, quartiles',
        columns=['', 'ready', 'ratio', 'from', 'to', 'ns', 'epoll_wait ns'],
        table=[[row['contender'], row['ready'], f"{row['ratio']:.2f}",
                f"{row['lower_quartile']:.2f}", f"{row['upper_quartile']:.2f}",
                f"{row['ns']:.0f}", f"{row['epoll_wait_ns']:.0f}"] for row in rows],
        rows=rows,
        goals=[Goal(f"look at {row['ready']} ready, {row['contender']}, epoll_wait = 1",
                    row['ratio'], LIMIT, row['lower_quartile'], row['upper_quartile'])
               for row in rows if row['contender'] in JUDGED and row['ready'] >= 100],
        plots=[Plot('all-ready', 'A look at N ready descriptors, epoll_wait = 1',
                    'descriptors, all ready', 'times a bare epoll_wait', curves)],
    )


def _limit_of_one(contender, watched):
    return 1.2 if contender in ('selkie/uv', 'selkie/epoll') and watched <= 10000 else None


CONTENDERS = ('epoll', 'poll', 'select', 'selkie/uv', 'selkie/epoll', 'selkie/poll',
              'selkie/select', 'libuv', 'libev', 'libevent', 'sd-event', 'selectors')
SLOW = {'sd-event': 100, 'select': 950, 'selkie/select': 950}  # no more than that, all ready


def _passes(tools, contender, rounds, ready, sizes):
    if contender == 'selectors':
        return tools.ask_peers('passes', rounds, ready, *sizes)
    return tools.ask('passes', contender, rounds, ready, *sizes)


def _pivot(rows, of, figure):
    """(columns, table): a line for each contender, a column for each number of descriptors."""
    sizes = sorted({row[of] for row in rows})
    names = list(dict.fromkeys(row['contender'] for row in rows))
    cells = {(row['contender'], row[of]): figure(row) for row in rows}
    return (['', *map(str, sizes)],
            [[name, *(cells.get((name, size), '-') for size in sizes)] for name in names])


def all_called(tools):
    """A pass, the calls included, with N of N ready, of everyone."""
    rounds = 5 if tools.quick else 9
    sizes = (1, 100, 1000) if tools.quick else (1, 10, 100, 1000, 9000)
    names = [name for name in CONTENDERS if name == 'selectors' or tools.knows('passes', name)]
    rows, curves = [], {}
    for ready in sizes:
        fitting = [name for name in names if ready <= SLOW.get(name, ready)]
        samples = tools.interleave(rounds, {
            name: lambda name=name: _passes(tools, name, 3, 'all', [ready])[0]['ns']
            for name in fitting})
        for name in fitting:
            found = ratios(samples, name, 'epoll')
            rows.append({'contender': name, 'ready': ready, 'ratio': found.median,
                         'lower': found.lower, 'upper': found.upper,
                         'ns': sorted(samples[name])[rounds // 2] / ready})
            curves.setdefault(name, []).append((ready, found.median))
    columns, table = _pivot(
        rows, 'ready',
        lambda row: f"{row['ratio']:.2f} ({row['lower']:.2f}–{row['upper']:.2f})")
    return Result(
        title=f'a pass, all of N ready and called, bare epoll = 1: median of {rounds}',
        columns=columns, table=table, rows=rows, goals=[],
        plots=[Plot('all-called', 'A pass with N descriptors ready, bare epoll = 1',
                    'descriptors, all ready', 'times a bare epoll loop', curves)],
        note='sd-event calls one a wait, select ends at 1,024: they are not asked for more.')


def one_ready(tools):
    """A pass with 1 of N ready, and how it grows from N = 100."""
    rounds = 21 if tools.quick else 51
    sizes = [100, 1000, 10000] if tools.quick else [
        100, 1, 10, 400, 900, 1000, 2000, 5000, 10000, 19000]
    rows = []
    for contender in CONTENDERS:
        if contender == 'selectors' or tools.knows('passes', contender):
            fitting = [n for n in sizes if not contender.endswith('select') or n < 950]
            rows += _passes(tools, contender, rounds, 'one', fitting)
    goals = []
    for row in rows:
        limit = _limit_of_one(row['contender'], row['watched'])
        if limit is not None and row['watched'] > 100:
            goals.append(Goal(f"1 of {row['watched']} ready, {row['contender']}, of 100 = 1",
                              row['ratio'], limit, row['lower_quartile'],
                              row['upper_quartile']))
    curves = {}
    for row in rows:
        curves.setdefault(row['contender'], []).append((row['watched'], row['ns']))
    columns, table = _pivot(rows, 'watched', lambda row: f"{row['ns']:.0f}")
    return Result(
        title=f'a pass, one of N ready, CPU ns: median of {rounds}',
        columns=columns, table=table, rows=rows, goals=goals,
        plots=[Plot('one-ready', 'A pass with one of N descriptors ready',
                    'descriptors watched', 'nanoseconds',
                    {name: sorted(points) for name, points in curves.items()})],
    )


CHAINS = {  # contender: (what it is compared with, limit)
    'selkie/epoll': ('libev', 1.0),
    'selkie/uv': ('libuv', 1.1),
}


def chain(tools):
    """The chain of pipes that libevent and libev publish: CPU time."""
    rounds = 9 if tools.quick else 15
    names = [name for name in ('epoll', 'libuv', 'libev', 'libevent', 'sd-event',
                               'selkie/uv', 'selkie/epoll') if tools.knows('chain', name)]
    rows, goals = [], []
    for pipes, active in PIPES:
        samples = tools.interleave(rounds, {
            name: lambda name=name: tools.ask('chain', name, pipes, active, WRITES)[0]['cpu']
            for name in names})
        for name in names:
            found = ratios(samples, name, 'epoll')
            rows.append({'contender': name, 'pipes': pipes, 'active': active,
                         'ratio': found.median, 'lower': found.lower, 'upper': found.upper,
                         'ns': sorted(samples[name])[rounds // 2] / WRITES})
        for name, (rival, limit) in CHAINS.items():
            for other, most in ((rival, limit), ('libevent', 1.0)):
                if other in samples:
                    found = ratios(samples, name, other)
                    goals.append(Goal(
                        f'chain, {active} of {pipes} active, {name}, {other} = 1',
                        found.median, most, found.lower, found.upper))
    return Result(
        title=f'a chain of pipes, {WRITES} writes, bare epoll = 1: median of {rounds}',
        columns=['', 'pipes', 'active', 'ratio', 'from', 'to', 'ns a write'],
        table=[[row['contender'], row['pipes'], row['active'], f"{row['ratio']:.3f}",
                f"{row['lower']:.3f}", f"{row['upper']:.3f}", f"{row['ns']:.0f}"]
               for row in rows],
        rows=rows,
        goals=goals,
    )
