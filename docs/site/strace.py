# SPDX-License-Identifier: MIT
"""strace's log, read back: every call with its start, its end and what it is about.

A Log is one run of `strace -f -ttt -T`.  read_log() takes calls that another thread's
line has cut in two together again.  Names gives descriptors the names that a reader
knows: the listener, A for the first client accepted, B for the second.
"""
import itertools
import re
from dataclasses import dataclass, field

CALLS = ("accept accept4 bind clone clone3 close connect dup dup2 dup3 epoll_create1 "
         "epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 fcntl fork getpeername "
         "getsockname getsockopt io_uring_setup ioctl listen pipe pipe2 poll ppoll "
         "pselect6 read readv recvfrom recvmsg select sendmsg sendto setsockopt shutdown "
         "signalfd4 socket socketpair timerfd_create vfork write").split()

MADE = {"socket": "sock", "epoll_create1": "epoll", "eventfd2": "event",
        "signalfd4": "signals", "timerfd_create": "timer", "io_uring_setup": "ring"}

LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
WHOLE = re.compile(r"(\w+)\((.*)\)\s+= (.*?)(?: <([\d.]+)>)?")
BEGUN = re.compile(r"(\w+)\((.*?)\s*<unfinished \.\.\.>")
ENDED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
SIGNAL = re.compile(r"--- (SIG\w+) .*")
EXIT = re.compile(r"\+\+\+ (exited with \d+|killed by \w+).*")


@dataclass
class Call:
    pid: int
    start: float
    end: float
    name: str  # "signal" and "exit" are what strace tells besides calls
    arguments: list
    result: str = ""
    error: str = ""
    stack: list = field(default_factory=list)  # with -k: lines of strace's

    @property
    def seconds(self):
        return self.end - self.start

    @property
    def number(self):
        """What it returned, as a number; -1: an error or none."""
        found = re.match(r"-?\d+", self.result)
        return int(found[0]) if found else -1


def split_arguments(text):
    """At its commas, but for those in strings and in brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    escaped = False
    for i, c in enumerate(text):
        if escaped:
            escaped = False
        elif c == "\\":
            escaped = quoted
        elif c == '"':
            quoted = not quoted
        elif not quoted and c in "([{":
            depth += 1
        elif not quoted and c in ")]}":
            depth -= 1
        elif not quoted and depth == 0 and c == ",":
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return parts + [last] if last else parts


def make_call(pid, start, end, found):
    name, arguments, result, seconds = found.groups()
    error = re.search(r"\b(E[A-Z]+)\b", re.sub(r"\bERESTART\w+", "EINTR", result))
    if seconds is not None:
        end = start + float(seconds) if end is None else end
    return Call(pid, start, start if end is None else end, name,
                split_arguments(arguments), result, error[1] if error else "")


def read_log(lines):
    """The calls of a log in the order of their starts.  A call that was cut short by the
    program's end is left out.
    """
    calls, begun = [], {}
    for line in lines:
        found = LINE.fullmatch(line.rstrip("\n"))
        if not found:
            if line.startswith(" > ") and calls:
                calls[-1].stack.append(line[3:].rstrip("\n"))
            continue
        pid, when, rest = int(found[1]), float(found[2]), found[3]
        if cut := BEGUN.fullmatch(rest):
            begun[pid] = when, f"{cut[1]}({cut[2]}"
        elif resumed := ENDED.fullmatch(rest):
            start, head = begun.pop(pid, (None, ""))
            whole = WHOLE.fullmatch(head + resumed[2])
            if whole and start is not None:
                calls.append(make_call(pid, start, when, whole))
        elif whole := WHOLE.fullmatch(rest):
            calls.append(make_call(pid, when, None, whole))
        elif signalled := SIGNAL.fullmatch(rest):
            calls.append(Call(pid, when, when, "signal", [signalled[1]]))
        elif ended := EXIT.fullmatch(rest):
            calls.append(Call(pid, when, when, "exit", [ended[1]]))
    return sorted(calls, key=lambda call: call.start)


class Names:
    """Of the descriptors of one program.  A child has a copy of its parent's, a thread
    shares them; what is closed has no name, as its number may come again for a file.
    """

    def __init__(self):
        self.tables = {}  # by process
        self.of = {}  # of the process that this is about
        self.clients = 0

    def turn_to(self, call):
        """Look at the process that has made this call."""
        self.of = self.tables.setdefault(call.pid, dict(self.of) or {0: "stdin"})

    def numbered(self, fds, *kinds):
        """The first number with which these names are not in use."""
        number = next(n for n in itertools.count(1) if not any(
            self.title(kind, n) in self.of.values() for kind in kinds))
        for fd, kind in zip(fds, kinds):
            self.of[int(fd)] = self.title(kind, number)

    @staticmethod
    def title(kind, number):
        return kind if number == 1 and len(kind) > 1 else f"{kind}{number}"

    def learn(self, call):
        """Before a call is described."""
        self.turn_to(call)
        if call.error or call.number < 0:
            return
        first = call.arguments[0] if call.arguments else ""
        if call.name in MADE:
            self.numbered([call.number], MADE[call.name])
        elif call.name in ("accept", "accept4"):
            self.of[call.number] = chr(ord("A") + self.clients % 26)
            self.clients += 1
        elif call.name == "listen":
            del self.of[int(first)]
            self.numbered([first], "listener")
        elif call.name == "socketpair":
            self.numbered(re.findall(r"\d+", call.arguments[3]), "a", "b")
        elif call.name in ("pipe", "pipe2"):
            self.numbered(re.findall(r"\d+", first), "r", "w")
        elif call.name in ("clone", "clone3", "fork", "vfork") and call.number > 0:
            shared = "CLONE_THREAD" in " ".join(call.arguments)
            self.tables[call.number] = self.of if shared else dict(self.of)
        elif call.name == "fcntl" and call.arguments[1].startswith("F_DUPFD") or \
                call.name in ("dup", "dup2", "dup3"):
            self.of[call.number] = self.of.get(int(first), "copy")

    def forget(self, call):
        """After a call is described."""
        if call.name == "close" and not call.error:
            self.of.pop(int(call.arguments[0]), None)

    def name(self, text):
        """Of the descriptor that an argument is; None: it is no named one."""
        found = re.match(r"\d+", text)
        return self.of.get(int(found[0])) if found else None
