# SPDX-License-Identifier: MIT
"""What a reactor does all day, counted in instructions beside its peers."""

import concurrent.futures
import os

from counts import SELKIE
from reactors import PEERS
from tools import Goal, Result

OWN = SELKIE[0]
MILLION = 1000000

# What bench_reactor does: how it is called here, and the two counts whose difference tells.
WORKS = {
    'fire': ('timer armed and fired', 1, MILLION),
    'cancel': ('timer armed and cancelled', 1, MILLION),
    'move': ('timer rescheduled', 1, 100001),
    'renew': ('timer cancelled and armed again', 1, 100001),
    'soon': ('call_soon, 100 to a pass', 1000, 21000),
    'alone': ('call_soon, one to a pass', 1000, 4000),
    'post': ('call from another thread', 1000, 21000),
    'nothing': ('bare pass', 200, 2200),
    'timer': ('pass with a far timer', 200, 2200),
    'services': ('pass with timer, signal, job', 200, 2200),
}
TEXTS = {work: text for work, (text, _, _) in WORKS.items()}
TIMERS = 'fire', 'cancel', 'move', 'renew'  # the same on every backend
TASKS = 'soon', 'alone', 'post'

LIMITS = {
    ('soon', OWN): 90,
    ('alone', OWN): 620,
    ('alone', 'selkie/epoll'): 300,
    ('fire', OWN): 550,
    ('cancel', OWN): 250,
    ('post', OWN): 380,
}
RATIO_LIMITS = {('move', 'renew'): 0.5, ('timer', 'nothing'): 1.05, ('services', 'nothing'): 1.15}
MOST_TIMER_BYTES = 64


def _can(contender, work):
    """Of the peers, libuv alone has a pool."""
    if work == 'services':
        return contender in (*SELKIE, 'libuv')
    return work not in TIMERS or contender not in SELKIE[1:]


def _count(tools, work, contender):
    """(instructions, allocations) of one."""
    _, few, many = WORKS[work]
    if tools.quick and many == MILLION:
        many //= 10
    runs = [tools.count('reactor', contender, work, count) for count in (few, many)]
    return [(second - first) / (many - few) for first, second in zip(*runs)]


def _count_all(tools, contenders):
    """{(work, contender): (instructions, allocations)}: no run disturbs another."""
    pairs = [(work, contender) for work in TEXTS for contender in contenders
             if _can(contender, work)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(pairs, pool.map(lambda pair: _count(tools, *pair), pairs)))


def _goals(counted, timer_bytes):
    goals = [Goal(f'{TEXTS[work]}, {contender}', counted[work, contender][0], limit)
             for (work, contender), limit in LIMITS.items()]
    goals += [Goal(f'{TEXTS[work]}, {TEXTS[one]} = 1, {OWN}',
                   counted[work, OWN][0] / counted[one, OWN][0], limit)
              for (work, one), limit in RATIO_LIMITS.items()]
    goals += [Goal(f'allocations: {TEXTS[work]}, {OWN}', round(counted[work, OWN][1], 2), 0)
              for work in TASKS]
    return goals + [Goal(f'bytes of an idle timer, {OWN}', timer_bytes[OWN], MOST_TIMER_BYTES)]


def _table(counted, timer_bytes, contenders):
    """A line for each work; a pass with something beside is compared with the bare one."""
    def cell(work, contender, place):
        if (work, contender) not in counted:
            return '-'
        count = counted[work, contender][place]
        if place == 0 and work in ('timer', 'services'):
            return f"{count:.0f} ({count / counted['nothing', contender][0]:.2f})"
        return f'{count:.0f}'

    lines = [[TEXTS[work], *(cell(work, contender, 0) for contender in contenders)]
             for work in TEXTS]
    lines += [[f'allocations: {TEXTS[work]}', *(cell(work, contender, 1)
                                                for contender in contenders)] for work in TASKS]
    lines.append(['bytes of an idle timer', *(
        f'{timer_bytes[contender]:.0f}' if contender in timer_bytes else '-'
        for contender in contenders)])
    return lines


def reactor(tools):
    """Tasks, calls from other threads, timers, and what a pass pays for what idles."""
    contenders = [*SELKIE[:2], 'libuv'] if tools.quick else [
        *SELKIE, *(peer for peer in PEERS if tools.knows('reactor', peer))]
    counted = _count_all(tools, contenders)
    timer_bytes = {contender: tools.ask('reactor', contender, 'cancel', MILLION)[0]['timer_bytes']
                   for contender in contenders if _can(contender, 'cancel')}
    return Result(
        title="user-space instructions for each, the program's own included",
        columns=['', *contenders],
        table=_table(counted, timer_bytes, contenders),
        rows=[{'work': work, 'contender': contender, 'instructions': found[0],
               'allocations': found[1]} for (work, contender), found in counted.items()] +
             [{'work': 'memory', 'contender': contender, 'bytes': found}
              for contender, found in timer_bytes.items()],
        goals=_goals(counted, timer_bytes),
        note="selkie's timers are the same on every backend. In brackets: the bare pass = 1.",
    )
