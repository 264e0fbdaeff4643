# SPDX-License-Identifier: MIT
"""What a recording (docs/site/recording.py) means, event by event.

A World is what there is between a program and its clients: descriptors, the lists that the
kernel keeps or is handed, the bytes that wait somewhere.  It begins with what the kernel
said at the start, and each act and each call changes it.  Whatever was recorded has to
follow from it: what a wait returned from who is ready, what recv() gave from what was
sent, how much send() was given from what is queued, a new descriptor's number from those
that are free, and what the kernel says of the process from all of it.  What does not
raises Inconsistent.
"""
import re
from dataclasses import dataclass, field

from labels import describe, flags_of, milliseconds, plain
from recording import UNFINISHED, text_of
from strace import Names

BITS = {"IN": 0x1, "PRI": 0x2, "OUT": 0x4, "ERR": 0x8, "HUP": 0x10, "RDHUP": 0x2000,
        "EXCLUSIVE": 1 << 28, "WAKEUP": 1 << 29, "ONESHOT": 1 << 30, "ET": 1 << 31}
FLAGS = tuple(BITS)[:6]
UNASKED = {"ERR", "HUP"}
# What select() calls ready, and what poll() calls that.
SETS = {"in": {"IN", "HUP", "ERR"}, "out": {"OUT", "ERR"}, "except": {"PRI"}}
TIMEOUTS = {"select": 4, "poll": 2, "epoll_wait": 3}  # which argument it is
WAITS = tuple(TIMEOUTS)
CALLS_FOR_FILES = {"socket": "socket", "epoll_create": "epoll", "eventfd": "eventfd",
                   "signalfd": "signalfd", "timerfd_create": "timerfd"}
NO_CHANGE = {"bind", "connect", "fcntl", "getpeername", "getsockname", "getsockopt",
             "ioctl", "listen", "setsockopt", "exit"}


class Inconsistent(Exception):
    """What was recorded can't have happened so."""


@dataclass
class Peer:
    """Who is at the other end of a descriptor, and what is on its way."""

    name: str
    waiting: bytes = b""  # in the kernel: the program has not read it
    queue: bytes = b""  # in the program: not sent yet
    sent: bytes = b""  # by the program: the other end has not read it
    urgent: bytes = b""
    passed: int = 0  # urgent bytes that were taken and still are in the stream
    ended: bool = False  # nothing more will come
    reset: bool = False
    failed: bool = False  # and the program has not been told

    @property
    def flags(self):
        found = {"OUT"}
        if self.waiting or self.ended or self.reset:
            found.add("IN")
        if self.urgent:
            found.add("PRI")
        if self.ended or self.reset:
            found.add("RDHUP")
        if self.reset:
            found.add("HUP")
        if self.failed:
            found.add("ERR")
        return found


@dataclass
class File:
    """What a descriptor stands for."""

    kind: str
    peer: object = None
    backlog: list = field(default_factory=list)  # of a listener: peers
    listens: bool = False
    interest: dict = field(default_factory=dict)  # of an epoll: fd: (events, data)


def events_of(bits):
    return {name for name, bit in BITS.items() if bits & bit}


def in_order(flags):
    return "|".join(name for name in BITS if name in flags)


class World:
    """`peers` says who is behind which name, where that is known from the start;
    `goes_to` for whom is what a descriptor of that name brought.
    """

    def __init__(self, side, peers, goes_to):
        start = side["start"]
        self.peers = {who: Peer(who) for who in peers.values()}
        self.goes_to = goes_to
        self.names = Names()
        self.names.of = {int(fd): name for fd, name in start["names"].items()}
        self.names.of.setdefault(1, "stdout")
        self.names.tables[0] = self.names.of
        self.files = {int(fd): File(kind) for fd, kind in
                      start["kernel"]["descriptors"].items()}
        self.handed = None  # to the kernel, for one wait: (call, {fd: events})
        self.answer = None  # what that wait said
        self.asleep = None  # the call that sleeps
        for fd, file in self.files.items():
            self.open(fd, file, start["kernel"], peers)

    def open(self, fd, file, kernel, peers):
        name = self.name(fd)
        file.listens = name.startswith("listener")
        file.peer = self.peers.get(peers.get(name))
        for number, (bits, data) in kernel["interest"].get(str(fd), {}).items():
            file.interest[int(number)] = (events_of(bits) - UNASKED, data)

    def name(self, fd):
        found = self.names.of.get(int(fd))
        standard = {0: "stdin", 1: "stdout", 2: "stderr"}.get(int(fd))
        return found or standard or self.files[int(fd)].kind

    def file(self, number):
        """What a call's argument stands for."""
        self.expect(int(number) in self.files, f"descriptor {number} is not open")
        return self.files[int(number)]

    @property
    def listener(self):
        return next((file for file in self.files.values() if file.listens), None)

    # Who is ready

    def flags(self, fd):
        file = self.file(fd)
        if file.peer:
            return file.peer.flags
        if file.backlog or file.kind == "epoll" and self.ready_of(file):
            return {"IN"}
        return set()

    def ready(self, asked):
        """{descriptor: flags}, of {descriptor: what is asked}."""
        found = {fd: self.flags(fd) & (set(events) | UNASKED) for fd, events in
                 asked.items()}
        return {fd: flags for fd, flags in found.items() if flags}

    def ready_of(self, epoll):
        return self.ready({fd: events for fd, (events, _) in epoll.interest.items()})

    def ready_in_sets(self, asked):
        """The same as select() says it."""
        found = {fd: {name for name in names if self.flags(fd) & SETS[name]}
                 for fd, names in asked.items()}
        return {fd: names for fd, names in found.items() if names}

    # What clients do

    def act(self, act):
        who, does, data = act["who"], act["does"], act.get("data", "").encode()
        if does == "connects" and self.listener:
            self.peers[who] = Peer(who)
            self.listener.backlog.append(self.peers[who])
        peer = self.peers.get(who)
        if peer is None:
            return  # it has nothing to do with this program
        if act.get("urgent"):
            peer.urgent = data
        elif does in ("sends", "types"):
            peer.waiting += data + b"\n" * (does == "types")
        elif does == "reads":
            self.expect(peer.sent.startswith(data) and (data or peer.ended),
                        f"{who} reads {data}, and there is {peer.sent}")
            peer.sent = peer.sent[len(data):]
        elif does == "resets":
            peer.reset = peer.failed = True
            peer.waiting = peer.sent = b""
        elif does in ("ends", "closes"):
            peer.ended = True

    # What the program calls

    @staticmethod
    def expect(holds, otherwise):
        if not holds:
            raise Inconsistent(otherwise)

    def call(self, call, part):
        """`part` is "sleep" when it begins to sleep, "wake" at the end of that, else
        "call".  Returns what labels.describe() says of it.
        """
        name = plain(call.name)
        if part != "sleep":
            self.names.learn(call)
        if part != "wake":
            self.handed = self.answer = None
        self.asleep = call if part == "sleep" else None
        if name in WAITS:
            self.wait(name, call, part)
        elif part != "sleep":
            self.change(name, call)
        said = describe(call, self.names)
        self.names.forget(call)
        return said

    def change(self, name, call):
        if name in CALLS_FOR_FILES:
            self.make(call.number, File(CALLS_FOR_FILES[name]))
        elif name in ("recv", "read", "send", "write", "accept", "close", "epoll_ctl",
                      "shutdown"):
            getattr(self, name)(call)
        else:
            self.expect(name in NO_CHANGE, f"{name} is not known here")

    def make(self, fd, file):
        free = next(n for n in range(len(self.files) + 1) if n not in self.files)
        self.expect(fd == free, f"descriptor {fd} is made where {free} is free")
        self.files[fd] = file

    def accept(self, call):
        waiting = self.file(call.arguments[0]).backlog
        self.expect(bool(waiting) == (call.error != "EAGAIN"),
                    f"accept() gives {call.result}, and {len(waiting)} wait")
        if not call.error:
            self.make(call.number, File("socket", waiting.pop(0)))

    def close(self, call):
        self.file(call.arguments[0])
        fd = int(call.arguments[0])
        del self.files[fd]
        for file in self.files.values():
            file.interest.pop(fd, None)

    def shutdown(self, call):
        """Of what is sent nothing is taken back."""

    def recv(self, call):
        peer = self.file(call.arguments[0]).peer
        if "MSG_OOB" in " ".join(call.arguments[3:]):
            self.take_urgent(peer, call)
        elif peer is None:  # such as the socket that a signal would write to
            self.expect(call.error == "EAGAIN", f"recv() gives {call.result} of nobody's")
        elif call.error:
            wanted = "ECONNRESET" if peer.failed else "EAGAIN"
            self.expect(call.error == wanted and not peer.waiting and not peer.ended,
                        f"recv() of {peer.name} fails with {call.error}")
            peer.failed = False
        else:
            self.take(peer, call)

    read = recv

    def take(self, peer, call):
        data = text_of(call.arguments[1]).encode("latin-1") if call.number else b""
        room = int(call.arguments[2])
        self.expect(data == peer.waiting[:room] and (data or peer.ended),
                    f"{data} comes from {peer.name}, where {peer.waiting} waits")
        peer.waiting = peer.waiting[len(data):]
        peer.passed = 0
        answered = self.peers.get(self.goes_to(peer.name))
        if answered:
            answered.queue += data

    def take_urgent(self, peer, call):
        data = text_of(call.arguments[1]).encode("latin-1")
        self.expect(data == peer.urgent, f"{data} is urgent, and not {peer.urgent}")
        peer.urgent, peer.passed = b"", peer.passed + 1

    def send(self, call):
        peer = self.file(call.arguments[0]).peer
        if peer is None:  # what it prints
            return
        data, size = text_of(call.arguments[1]).encode("latin-1"), int(call.arguments[2])
        self.expect(data == peer.queue and len(data) == size,
                    f"{data} is sent to {peer.name}, for whom {peer.queue} is queued")
        self.expect(call.number > 0, f"send() gives {call.result}")
        peer.sent += data[:call.number]
        peer.queue = data[call.number:]

    write = send

    def epoll_ctl(self, call):
        epoll, fd = (int(call.arguments[i]) for i in (0, 2))
        operation = call.arguments[1].removeprefix("EPOLL_CTL_")
        interest = self.file(epoll).interest
        self.file(fd)
        self.expect((fd in interest) != (operation == "ADD"), f"{operation} of {fd}")
        if operation == "DEL":
            del interest[fd]
        else:
            data = int(re.search(r"u64=(\d+)", call.arguments[3])[1])
            interest[fd] = set(flags_of(call.arguments[3]).split("|")) - {""}, data

    # The waits

    def wait(self, name, call, part):
        asked, said = getattr(self, f"of_{name}")(call)
        if name != "epoll_wait":
            self.handed = name, asked
        ready = self.ready_for(name, asked)
        if part == "sleep":
            self.expect(not ready, f"{name} sleeps, and {ready} is ready")
        elif [call.result, call.error] != UNFINISHED:
            self.expect(said == ready, f"{name} says {said}, and {ready} is ready")
            self.answer = ready

    def sleeps(self, call):
        """Will this call find nobody ready, and wait?"""
        name = plain(call.name)
        if name not in WAITS or milliseconds(call.arguments[TIMEOUTS[name]]) == "0":
            return False
        return not self.ready_for(name, getattr(self, f"of_{name}")(call)[0])

    def ready_for(self, name, asked):
        return self.ready_in_sets(asked) if name == "select" else self.ready(asked)

    def of_epoll_wait(self, call):
        interest = self.file(call.arguments[0]).interest
        by_data = {data: fd for fd, (_, data) in interest.items()}
        said = re.findall(r"\{events=([^,]+), data=\{u32=\d+, u64=(\d+)", call.arguments[1])
        return ({fd: events for fd, (events, _) in interest.items()},
                {by_data.get(int(data)): self.known(flags) for flags, data in said})

    def of_poll(self, call):
        asked = re.findall(r"\{fd=(\d+), events=([^}]+)\}", call.arguments[0])
        said = re.findall(r"\{fd=(\d+), revents=([^}]+)\}", call.result)
        return ({int(fd): self.known(events) for fd, events in asked},
                {int(fd): self.known(events) for fd, events in said})

    @staticmethod
    def known(flags):
        """Without those that only say in another way what these say."""
        return set(flags_of(flags).split("|")) & set(FLAGS)

    @staticmethod
    def of_select(call):
        asked, said = {}, {}
        for name, text in zip(SETS, call.arguments[1:4]):
            for fd in re.findall(r"\d+", text):
                asked.setdefault(int(fd), set()).add(name)
        for name, text in re.findall(r"(in|out|except) \[([\d ]*)\]", call.result):
            for fd in text.split():
                said.setdefault(int(fd), set()).add(name)
        return asked, said

    # What the kernel says

    def compare(self, kernel):
        kinds = {fd: file.kind for fd, file in self.files.items()}
        said = {int(fd): kind for fd, kind in kernel["descriptors"].items()}
        self.expect(kinds == said, f"the descriptors are {said}, and not {kinds}")
        said = {int(fd): self.bits(entries) for fd, entries in kernel["interest"].items()}
        kept = {fd: self.names_of(file) for fd, file in self.files.items()
                if file.kind == "epoll"}
        self.expect(kept == said, f"the epolls have {said}, and not {kept}")
        said = {int(fd): size for fd, size in kernel["unread"].items()}
        kept = {fd: self.unread(file) for fd, file in self.files.items()
                if file.kind == "socket" and (file.peer or file.listens)}
        self.expect(kept == said, f"{said} bytes and clients wait, and not {kept}")

    @staticmethod
    def bits(entries):
        """What fdinfo says is in an epoll, as the flags that are asked for."""
        return {int(fd): events_of(bits) - UNASKED for fd, (bits, _) in entries.items()}

    @staticmethod
    def names_of(epoll):
        return {fd: set(events) for fd, (events, _) in epoll.interest.items()}

    @staticmethod
    def unread(file):
        if file.peer is None:
            return len(file.backlog)
        return len(file.peer.waiting) + file.peer.passed + len(file.peer.urgent)
