# SPDX-License-Identifier: MIT
"""What is measured: one function for each kind of work.

A function gets a `Tools` and returns a `Result`.  To add one: write a small
program that prints a JSON object a line, name it in meson.build, write its
function here and put it into BENCHMARKS.
"""

from tools import Goal, Result

COST_LIMIT = 1.25
COST_JUDGED = {"selkie/uv", "selkie/epoll"}


def cost(tools):
    """One look at N of N ready descriptors against one bare epoll_wait().

    With one ready there is nothing to spread the fixed part of a call over, and
    bare libuv is above the limit too: shown, not judged.
    """
    rounds = 31 if tools.quick else 151
    rows = []
    for ready in 100, 2000, 9000, 1:
        rows += tools.rows("cost", ready, rounds)
    return Result(
        title=f"one look, all ready, epoll_wait = 1: median of {rounds}, quartiles",
        columns=["", "ready", "ratio", "from", "to", "ns", "epoll_wait ns"],
        table=[[row["contender"], row["ready"], f"{row['ratio']:.2f}",
                f"{row['lower_quartile']:.2f}", f"{row['upper_quartile']:.2f}",
                f"{row['ns']:.0f}", f"{row['epoll_wait_ns']:.0f}"] for row in rows],
        rows=rows,
        goals=[Goal(f"look at {row['ready']} ready, {row['contender']}, epoll_wait = 1",
                    row["ratio"], COST_LIMIT)
               for row in rows if row["contender"] in COST_JUDGED and row["ready"] > 1],
    )


# Contender, timeout and ready descriptors to instructions a pair.
INSTRUCTION_LIMITS = {
    ("selkie/uv", "inf", 100): 120,
    ("selkie/epoll", "inf", 100): 75,
    ("selkie/uv", "inf", 1): 800,
    ("selkie/epoll", "inf", 1): 250,
}


def _contenders(tools):
    """(program, contender, timeout) of all whose instructions are counted."""
    judged = ["selkie/uv", "selkie/epoll"]
    shown = ["libuv"] if tools.quick else [
        "selkie/poll", "selkie/select", "epoll_wait", "libuv"]
    found = [("instructions", contender, "inf") for contender in judged + shown]
    if not tools.quick:
        found += [(f"instructions_{peer}", peer, "inf") for peer in ("libev", "libevent")
                  if tools.has(f"instructions_{peer}")]
        found += [("instructions", contender, "1.0") for contender in judged]
    return found


def _instructions_a_pair(tools, program, contender, timeout, ready):
    """The difference of two run lengths, so that start and end don't count."""
    short, more = (50, 200) if ready > 1 else (200, 2000)
    first = tools.count_instructions(program, contender, ready, short, timeout)
    second = tools.count_instructions(program, contender, ready, short + more, timeout)
    return (second - first) / (more * ready)


def instructions(tools):
    """User-space instructions of wait and dispatch for each ready descriptor.

    Judged without a timeout, because valgrind knows no epoll_pwait2(); with one
    it is shown besides.  A system call counts as one instruction, and under
    valgrind reading the clock is one.
    """
    rows = []
    for program, contender, timeout in _contenders(tools):
        for ready in 100, 1:
            count = _instructions_a_pair(tools, program, contender, timeout, ready)
            rows.append({"contender": contender, "timeout": timeout, "ready": ready,
                         "instructions": count})
    goals = []
    for row in rows:
        limit = INSTRUCTION_LIMITS.get((row["contender"], row["timeout"], row["ready"]))
        if limit is not None:
            goals.append(Goal(f"instructions a pair, {row['ready']} ready, "
                              f"{row['contender']}", row["instructions"], limit))
    return Result(
        title="user-space instructions a pair: wait, dispatch and the callback's own",
        columns=["", "timeout", "ready", "instructions"],
        table=[[row["contender"], row["timeout"], row["ready"],
                f"{row['instructions']:.1f}"] for row in rows],
        rows=rows,
        goals=goals,
    )


WAIT_KINDS = ["forever", "with_timeout", "nothing_ready", "timed_out"]


def allocations(tools):
    """Calls of the allocator in a thousand waits of each kind.

    The first wait after registering begins with a wider batch and frees the one
    before, and libuv's array may grow in it: shown, not judged.
    """
    waits = 1000
    rows = tools.rows("allocations", 100, waits)
    kinds = [kind.replace("_", " ") for kind in WAIT_KINDS]
    return Result(
        title=f"allocator calls, 100 descriptors, {waits} waits of each kind",
        columns=["", "registering", "first wait", *kinds],
        table=[[row["contender"], row["registering"], row["first_wait"],
                *(row[kind] for kind in WAIT_KINDS)] for row in rows],
        rows=rows,
        goals=[Goal(f"allocator calls in {waits * len(WAIT_KINDS)} waits, "
                    f"{row['contender']}", sum(row[kind] for kind in WAIT_KINDS), 0)
               for row in rows],
    )


BENCHMARKS = {
    "cost": cost,
    "instructions": instructions,
    "allocations": allocations,
}
