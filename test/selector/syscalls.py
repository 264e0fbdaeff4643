#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Count the system calls of each call of the library, with strace.

Usage: syscalls.py SYSCALLS_PROGRAM [BACKEND ...]

The program marks where a call begins and ends.  What has a rule below is
judged, everything is printed.  Exit status 77: no strace here.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
BACKENDS = ["uv", "epoll", "poll", "select"]

LINE = re.compile(r"^\d+\s+(\w+)\((.*?)(?:\)\s+= (-?\d+|\?).*|\s*<unfinished \.\.\.>)$")
# Tried once, before the library takes what an older kernel has.
REFUSED = re.compile(r"^\d+\s+epoll_pwait2\(.*= -1 E(?:NOSYS|PERM|ACCES) ")
MARK = re.compile(r'^-1, "(begin|end) (.*)", \d+$')

# Every one of these must say close-on-exec; what can't is not to be used.
CREATES_DESCRIPTOR = {
    "accept4": "SOCK_CLOEXEC", "dup3": "O_CLOEXEC", "epoll_create1": "EPOLL_CLOEXEC",
    "eventfd2": "EFD_CLOEXEC", "inotify_init1": "IN_CLOEXEC",
    "memfd_create": "MFD_CLOEXEC", "open": "O_CLOEXEC", "openat": "O_CLOEXEC",
    "pipe2": "O_CLOEXEC", "signalfd4": "SFD_CLOEXEC", "socket": "SOCK_CLOEXEC",
    "socketpair": "SOCK_CLOEXEC", "timerfd_create": "TFD_CLOEXEC",
}
CANNOT_SAY_CLOEXEC = {"accept", "creat", "dup", "dup2", "epoll_create", "eventfd",
                      "inotify_init", "pipe", "signalfd"}
MAKES_THREAD_OR_PROCESS = {"clone", "clone3", "fork", "vfork"}
WAITS = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "pselect6",
         "select", "_newselect"}
LOOKS = {"fstat", "newfstatat", "statx"}  # at a descriptor's file


def nothing(backend, calls):
    return not calls


def one_look(backend, calls):
    return len(calls) == 1 and set(calls) <= {"fstat", "newfstatat"}


def at_most_one(backend, calls):
    return len(calls) <= 1


def one_wait(backend, calls):
    """poll and select know numbers alone: a look at each ready one's file follows."""
    waits = [name for name in calls if name in WAITS]
    others = set(calls) - WAITS
    looks = LOOKS if backend in ("poll", "select") else set()
    return len(waits) == 1 and others <= looks


def one_wait_alone(backend, calls):
    return len(calls) == 1 and calls[0] in WAITS


def one_change_and_wait(backend, calls):
    return one_wait(backend, [name for name in calls if name != "epoll_ctl"]) and \
        calls.count("epoll_ctl") == (backend not in ("poll", "select"))


def few_waits(backend, calls):
    """libuv asks twice, the second time where nothing is; then its set is asked for the rest."""
    return sum(name in WAITS for name in calls) <= (3 if backend == "uv" else 1)


def no_epoll_ctl(backend, calls):
    return "epoll_ctl" not in calls


def one_epoll_ctl_each(backend, calls):
    """A hundred of them: libuv, which needs more, is not asked again."""
    return calls.count("epoll_ctl") <= 100


def one_epoll_ctl_and_a_look_each(backend, calls):
    if backend in ("poll", "select"):
        return True
    return len(calls) <= 201 and calls.count("epoll_ctl") <= 100


def no_busy_loop(backend, calls):
    return len(calls) <= 6


RULES = {
    "modify data alone": nothing,
    "modify loses an event": nothing,
    "modify pauses": nothing,
    "modify gains events": one_look,
    "wait after an undone change": one_wait,
    "modify with an unknown bit": nothing,
    "modify of an unknown descriptor": nothing,
    "register with no event": nothing,
    "register with an unknown bit": nothing,
    "register of a negative number": nothing,
    "register twice": one_look,
    "unregister of an unknown descriptor": nothing,
    "get_key": nothing,
    "get_map": nothing,
    "look": one_wait,
    "look again": one_wait,
    "wait for what is ready": one_wait,
    "wait with a limit": one_wait,
    "dispatch": nothing,
    "dispatch again": nothing,
    "get_timeout": nothing,
    "after_fork without a fork": nothing,
    "add_writer beside a reader": one_look,
    "add_reader again": one_look,
    "wait after a writer was added": one_change_and_wait,
    "remove_writer": nothing,
    "add_writer and remove_writer": one_look,
    "wait after an undone writer": one_wait,
    "remove_reader of another's": nothing,
    "wakeup": at_most_one,
    "wakeup again": nothing,
    "fileno again": nothing,
    "look at nothing": one_wait_alone,
    "wait of 20 ms": no_busy_loop,
    "wait of 0.3 ms": no_busy_loop,
    "100 changed and a look": one_epoll_ctl_each,
    "100 unregistered and a look": one_epoll_ctl_each,
    "100 registered again and a look": one_epoll_ctl_and_a_look_each,
    "100 toggled there and back and a look": no_epoll_ctl,
    "look at 100": one_wait,
    "look at a crowd": few_waits,
}


def find_strace():
    """strace that may trace here, or None."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    with tempfile.NamedTemporaryFile() as out:
        command = [strace, "-f", "-o", out.name, sys.executable, "-c", ""]
        tried = subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60)
    return strace if tried.returncode == 0 else None


def plain(name):
    """Without what 32 bits add to a call of 64."""
    return re.sub(r"^(ppoll|pselect6|fstat|fcntl)(_time64|64)$", r"\1", name)


def trace(strace, program, backend):
    """[(name, arguments, result)] of a run; None where there is no such backend."""
    environment = dict(os.environ, LC_ALL="C")
    # The leak checker can't work under ptrace.
    environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    environment.pop("SELKIE_DEBUG", None)
    environment.pop("SELKIE_TRACE", None)
    with tempfile.NamedTemporaryFile("r") as out:
        command = [strace, "-f", "-qq", "-e", "signal=none", "-s", "100", "-o", out.name,
                   program, backend]
        ran = subprocess.run(command, env=environment, timeout=60)
        if ran.returncode == SKIPPED:
            return None
        if ran.returncode != 0:
            sys.exit(f"{program} {backend}: exit status {ran.returncode}")
        matches = [LINE.match(line.rstrip("\n")) for line in out if not REFUSED.match(line)]
    calls = (match.groups() for match in matches if match)
    return [(plain(name), arguments, result) for name, arguments, result in calls]


def split_by_mark(calls):
    """{name: calls between its marks}, in the order of the run."""
    sections, current = {}, None
    for call in calls:
        name, arguments, _ = call
        mark = MARK.match(arguments) if name == "write" else None
        if mark and mark[1] == "begin":
            current = sections[mark[2]] = []
        elif mark:
            current = None
        elif current is not None:
            current.append(call)
    return sections


def summarize(calls):
    counts = {name: calls.count(name) for name in dict.fromkeys(calls)}
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def check_creations(calls):
    """What breaks the rules that hold for every call."""
    for name, arguments, result in calls:
        if result is None or not result.lstrip("-").isdigit() or int(result) < 0:
            continue
        flag = CREATES_DESCRIPTOR.get(name)
        if name in CANNOT_SAY_CLOEXEC or flag and flag not in arguments:
            yield f"{name}({arguments}) makes a descriptor that survives exec"
        if name == "fcntl" and "F_DUPFD," in arguments:
            yield f"fcntl({arguments}) makes a descriptor that survives exec"
        if name in MAKES_THREAD_OR_PROCESS:
            yield f"{name}(): a bare selector makes no thread"


def check_backend(calls, backend):
    """Print a table; return how many rules were broken."""
    sections = split_by_mark(calls)
    broken = 0
    print(f"\n{backend}")
    for name, section in sections.items():
        between = [call[0] for call in section]
        rule = RULES.get(name)
        passed = rule is None or rule(backend, between)
        broken += not passed
        verdict = "     " if rule is None else "ok   " if passed else "FAIL "
        print(f"  {verdict}{name:40} {summarize(between)}")
        for complaint in check_creations(section):
            print(f"  FAIL {complaint}")
            broken += 1
    for name in RULES.keys() - sections.keys():
        print(f"  FAIL {name}: never run")
        broken += 1
    return broken


def main():
    program, backends = sys.argv[1], sys.argv[2:] or BACKENDS
    strace = find_strace()
    if strace is None:
        print("no strace, or it may not trace here")
        return SKIPPED
    broken = tested = 0
    for backend in backends:
        calls = trace(strace, program, backend)
        if calls is not None:
            tested += 1
            broken += check_backend(calls, backend)
    print(f"\n{tested} backends, {broken} rules broken")
    return 1 if broken or not tested else 0


if __name__ == "__main__":
    sys.exit(main())
