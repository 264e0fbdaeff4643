# SPDX-License-Identifier: MIT
"""What each benchmark measures and why it matters, for readers of the page.

{name in benchmarks.BENCHMARKS: (heading, text in reStructuredText)}
"""

ABOUT = {
    'all-ready': (
        'Looking at many that are ready',
        'Every descriptor has something to read, and one call collects them all; nothing is '
        'called yet. Beside it stands one bare ``epoll_wait`` on the same descriptors, so the '
        'figure is what a library adds to the kernel where traffic is dense.'),
    'all-called': (
        'Serving many that are ready',
        'Every descriptor has something to read, and a pass collects them and calls the function '
        'of each. That is the whole of what a loop adds to a program, so everybody takes part.'),
    'one-ready': (
        'One of many is ready',
        'Many connections, nearly all silent: the usual day of a server. What asks about everyone '
        'at every wait climbs with their number, what is told by the kernel stays flat. '
        ':doc:`/lessons/20-how-many` is about this.'),
    'chain': (
        'A chain of pipes',
        'A byte runs from pipe to pipe, and each write makes the next descriptor ready: the work '
        'by which libevent and libev compare themselves. CPU time, system calls included.'),
    'echo': (
        'An echo server',
        'What a program really does: receive, send, wait. All servers do the same around their '
        'loop. What is compared is the CPU time that the server takes for a round trip.'),
    'churn': (
        'Connections that come and go',
        'Each is accepted, answered once and closed, so registering and unregistering count as '
        'much as waiting.'),
    'changes': (
        'Registering and changing',
        'What a descriptor costs before anything is read: register, change, change and change '
        'back before the next wait, unregister. What is undone in time should never reach the '
        'kernel.'),
    'toggle': (
        'Interest that changes all the time',
        'The server asks for WRITE before each answer and no longer asks after it, as simple '
        'servers do.'),
    'heap': (
        'Memory',
        'Bytes of the heap for each registered descriptor, and what remains of many rounds of '
        'registering and unregistering: what leaks or grows is seen here.'),
    'allocations': (
        'Allocations while waiting',
        'A wait that takes memory can fail when there is none. After the first one it should '
        'not ask for any.'),
    'timers': (
        'Timers',
        'A connection with a timeout arms a timer for every exchange, and nearly always cancels '
        'it.'),
    'posts': (
        'Calls from other threads',
        'Other threads hand calls to the loop. How many arrive a second, from one thread and '
        'from four?'),
    'instructions': (
        'Instructions',
        'What wait and dispatch execute in user space for each ready descriptor, counted by '
        'valgrind. It is the same at every run and however busy the machine is, so a change that '
        'makes the library dearer shows here first.'),
    'reactor': (
        "A reactor's day",
        'Tasks for the next pass, calls from other threads, timers that run, are cancelled or put '
        'off: what each executes in user space, counted by valgrind. The loops go round by '
        'themselves, as with ``sel_run()``, until a callback stops them. What the program does '
        'itself is in it: a callback that counts, and around a loop that only wakes a list for '
        'other threads. One to a pass, each task queues the next: to libev that is an idle watcher '
        'and to libevent a timer without delay, because both call in the same pass what a callback '
        'activates. Then what every pass pays for a timer, a signal handler and a finished job '
        'that have nothing to do. libuv counts its timers by milliseconds, so that many are due at '
        'once there.'),
    'latency': (
        'One client among ten thousand',
        'Ten thousand are connected and one speaks: how long it waits for its answer, most of '
        'the time and at worst.'),
    'threads': (
        'A loop in each thread',
        'Loops that share nothing should not make each other dearer: the CPU time of a round '
        'trip with two of them beside that with one.'),
}


def about(name, result):
    """(heading, text); of what has none here, its title."""
    title = result.title[0].upper() + result.title[1:]
    return ABOUT.get(name, (title, ''))
