# SPDX-License-Identifier: MIT
"""What can be counted, whatever else the machine does."""

from tools import Goal, Result

# Contender, timeout and ready descriptors to instructions a pair.
INSTRUCTION_LIMITS = {
    ('selkie/uv', 'inf', 100): 122,
    ('selkie/epoll', 'inf', 100): 70,
    ('selkie/uv', 'inf', 1): 780,
    ('selkie/epoll', 'inf', 1): 250,
}
HEAP_LIMITS = {('selkie/epoll', 900): 80, ('selkie/epoll', 9000): 80,
               ('selkie/uv', 900): 400, ('selkie/uv', 9000): 600}
PEERS = ('epoll', 'libuv', 'libev', 'libevent', 'sd-event')
SELKIE = ('selkie/uv', 'selkie/epoll', 'selkie/poll', 'selkie/select')


def _contenders(tools):
    """(contender, timeout) of all whose instructions are counted."""
    judged = list(SELKIE[:2])
    shown = ['libuv'] if tools.quick else [
        *SELKIE[2:], *(peer for peer in PEERS if tools.knows('instructions', peer))]
    found = [(contender, 'inf') for contender in judged + shown]
    if not tools.quick:
        found += [(contender, '1.0') for contender in judged]
    return found


def _instructions_a_pair(tools, contender, timeout, ready):
    """The difference of two run lengths, so that start and end don't count."""
    short, more = (50, 200) if ready > 1 else (200, 2000)
    first, _ = tools.count('instructions', contender, ready, short, timeout)
    second, _ = tools.count('instructions', contender, ready, short + more, timeout)
    return (second - first) / (more * ready)


def instructions(tools):
    """User-space instructions of wait and dispatch for each ready descriptor.

    Judged without a timeout, because valgrind knows no epoll_pwait2(); with one
    it is shown besides.  A system call counts as one instruction, and under
    valgrind reading the clock is one.
    """
    rows = []
    for contender, timeout in _contenders(tools):
        for ready in 100, 1:
            count = _instructions_a_pair(tools, contender, timeout, ready)
            rows.append({'contender': contender, 'timeout': timeout, 'ready': ready,
                         'instructions': count})
    goals = []
    for row in rows:
        limit = INSTRUCTION_LIMITS.get((row['contender'], row['timeout'], row['ready']))
        if limit is not None:
            goals.append(Goal(f"instructions a pair, {row['ready']} ready, "
                              f"{row['contender']}", row['instructions'], limit))
    return Result(
        title="user-space instructions a pair: wait, dispatch and the callback's own",
        columns=['', 'timeout', 'ready', 'instructions'],
        table=[[row['contender'], row['timeout'], row['ready'],
                f"{row['instructions']:.1f}"] for row in rows],
        rows=rows,
        goals=goals,
    )


WAIT_KINDS = ['forever', 'with_timeout', 'nothing_ready', 'timed_out']


def allocations(tools):
    """Calls of the allocator in a thousand waits of each kind.

    The first wait after registering begins with a wider batch and frees the one
    before, and libuv's array may grow in it: shown, not judged.
    """
    waits = 1000
    rows = tools.rows('allocations', 100, waits)
    kinds = [kind.replace('_', ' ') for kind in WAIT_KINDS]
    return Result(
        title=f'allocator calls, 100 descriptors, {waits} waits of each kind',
        columns=['', 'registering', 'first wait', *kinds],
        table=[[row['contender'], row['registering'], row['first_wait'],
                *(row[kind] for kind in WAIT_KINDS)] for row in rows],
        rows=rows,
        goals=[Goal(f"allocator calls in {waits * len(WAIT_KINDS)} waits, "
                    f"{row['contender']}", sum(row[kind] for kind in WAIT_KINDS), 0)
               for row in rows],
    )


def heap(tools):
    """Bytes of the heap for each registered descriptor, and growth by churn."""
    rows = []
    rounds = 10000 if tools.quick else 1000000
    for contender in (*SELKIE, *PEERS[1:]):
        if not tools.knows('heap', contender):
            continue
        for count in (900, 9000):
            if 'select' in contender and count > 1000:
                continue
            rows += tools.ask('heap', contender, count, rounds if count == 900 else 10)
    goals = []
    for row in rows:
        limit = HEAP_LIMITS.get((row['contender'], row['registered']))
        if limit is not None:
            goals.append(Goal(f"bytes a descriptor, {row['registered']} registered, "
                              f"{row['contender']}", row['bytes'], limit))
        if row['contender'] in SELKIE[:2] and row['registered'] == 900:
            goals.append(Goal(f"bytes left by {rounds} rounds of unregister and register, "
                              f"{row['contender']}", row['growth'], 0))
    return Result(
        title=f'heap: bytes for each registered descriptor, growth in {rounds} rounds',
        columns=['', 'registered', 'bytes', 'growth'],
        table=[[row['contender'], row['registered'], f"{row['bytes']:.0f}",
                row['growth'] if row['registered'] == 900 else ''] for row in rows],
        rows=rows,
        goals=goals,
    )


CHANGES = ('add', 'change', 'undo', 'remove')


def _calls_of_changes(tools, contender):
    """{kind: {system call: calls a descriptor}}, of two numbers of descriptors."""
    few, many = 100, 300
    found, before = {}, {}
    for kind in CHANGES:
        counts = {}
        for number, sign in ((many, 1), (few, -1)):
            calls = tools.count_system_calls(
                'changes', contender, number, 1, *([kind] if kind != 'remove' else []))
            for name, count in calls.items():
                counts[name] = counts.get(name, 0) + sign * count
        found[kind] = {name: (count - before.get(name, 0)) / (many - few)
                       for name, count in counts.items()}
        before = counts
    return found


def _describe(calls):
    parts = [f'{count:.2g} {name}' for name, count in sorted(calls.items())
             if count > 0.05 and name not in ('write', 'socketpair', 'mmap', 'brk', 'munmap')]
    return ', '.join(parts) or '-'


def changes(tools):
    """Time and system calls of register, modify and unregister, the wait included."""
    names = [name for name in (*SELKIE, *PEERS) if tools.knows('changes', name)]
    rows, goals = [], []
    for name in names:
        times = tools.ask('changes', name, 900, 20 if tools.quick else 100)[0]
        calls = _calls_of_changes(tools, name)
        rows.append({'contender': name, 'ns': {kind: times[kind] for kind in CHANGES},
                     'calls': calls})
        if name in SELKIE[:2]:
            undone = calls['undo']
            goals.append(Goal(f'epoll_ctl for a change, {name}',
                              round(calls['change'].get('epoll_ctl', 0), 2), 1))
            goals.append(Goal(f'epoll_ctl for a change that is undone, {name}',
                              round(undone.get('epoll_ctl', 0), 2), 0))
            goals.append(Goal(f'fcntl for a change that is undone, {name}',
                              round(undone.get('fcntl', 0), 2), 1))
    return Result(
        title='register, change, change and back, unregister: CPU ns and system calls each',
        columns=['', *(word for kind in CHANGES for word in (kind, 'calls'))],
        table=[[row['contender'], *(word for kind in CHANGES for word in
                                    (f"{row['ns'][kind]:.0f}", _describe(row['calls'][kind])))]
               for row in rows],
        rows=rows,
        goals=goals,
        note='The times are of one process after the other; compare only what differs widely.',
    )
