# SPDX-License-Identifier: MIT
"""What happens on the stage in each lesson, and what of it is the same every time.

A scene is a function of a Stage (docs/site/scenes.py).  A lesson has one for its transcript
and, where a picture wants less or something else, another for its timeline.
"""
import os
import re
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Optional

from scenes import Client

UNIT = 0.05  # seconds, of the three tasks
EVENTS = b"double 1 2\nkey a\nclick 30 -4\n"


def one_client(stage):
    server = stage.serve("one_client_server", "--verbose")
    a = Client(stage, "A", server)
    server.says()
    b = Client(stage, "B", server)
    b.send("hello\n")
    a.send("good ")
    a.send("morning\n")
    server.says()
    a.read_line()
    a.close()
    server.says(3)
    b.read_line()
    b.close()
    server.says()


def an_echo(client, text, server=None, lines=0):
    client.send(text)
    if server:
        server.says(lines)
    client.read(len(text))


def two_clients(stage, server):
    a = Client(stage, "A", server)
    server.says()
    b = Client(stage, "B", server)
    server.says()
    an_echo(b, "hello", server, 1)
    a.send("!", socket.MSG_OOB)
    server.says()
    an_echo(a, "good bye", server, 1)
    for client in (a, b):
        client.end()
        client.read(1)
        server.says()


def select_loop(stage):
    server = stage.serve("select_loop", "--verbose", "--timeout", "2")
    two_clients(stage, server)
    server.says_the_rest()  # it ends by its timeout


def endless_select_loop(stage):
    """Without a time limit the program sleeps in select() itself."""
    server = stage.serve("select_loop", "--verbose")
    two_clients(stage, server)
    server.stop()


def ten_clients(stage):
    server = stage.serve("echo_server", traced=False)
    stage.run("ten_clients", "--port", str(server.address[1]), shown=())


def flags_loop(stage, program):
    """poll_loop and epoll_loop."""
    server = stage.serve(program, "--verbose", "--timeout", "2")
    a = Client(stage, "A", server)
    server.says(2)
    a.send("hello")
    server.says(4)
    a.read(5)
    b = Client(stage, "B", server)
    server.says(2)
    b.reset()
    server.says(2)
    a.end()
    server.says(2)
    a.read(1)
    server.says_the_rest()


def reactor(stage):
    server = stage.serve("echo_server", "--verbose")
    a = Client(stage, "A", server)
    server.says()
    b = Client(stage, "B", server)
    server.says()
    an_echo(b, "hello", server, 1)
    an_echo(a, "good bye", server, 1)
    b.end()
    b.read(1)
    server.says()
    server.stop()


def ten_thousand(stage, connections="10000", messages="3"):
    server = stage.serve("echo_server", traced=False)
    given = ("--connections", connections, "--messages", messages)
    stage.run("load", *given, "--port", str(server.address[1]), shown=given)


def chat(stage):
    """One with the program, whose keyboard is a pipe, and one with a bare socket."""
    room = stage.serve("chat_server", traced=False)
    keyboard, hand = os.pipe()
    stage.closing.callback(os.close, hand)
    ann = stage.start("chat_client", "--name", "ann", "--port", str(room.address[1]),
                      shown=("--name", "ann"), keyboard=keyboard)
    os.close(keyboard)
    ann.says(2)
    bob = Client(stage, "bob", room)
    bob.read_line()
    ann.says()
    bob.send("hello\n")
    ann.says()
    stage.act("ann types 'hi bob'")
    os.write(hand, b"hi bob\n")
    stage.pause()
    bob.read_line()
    stage.act("ann types 'exit'")
    os.write(hand, b"exit\n")
    ann.says_the_rest()
    bob.read_line()


def server_models(stage):
    stage.run("server_models", "--measure")


def each_model(stage):
    """Two clients for each model."""
    for model in ("fork", "thread", "loop"):
        server = stage.serve("server_models", "--model", model)
        stage.act(f"--model {model}")
        for name in "AB":
            an_echo(Client(stage, name, server), "hello")
        server.stop()


def alone(name, *arguments, given=b""):
    """A program that needs nobody."""
    return lambda stage: stage.run(name, *arguments, given=given)


def one_by_one(*names):
    """Programs that need nobody."""
    def scene(stage):
        for name in names:
            stage.run(name)
    return scene


def same(lines):
    return lines


def without_numbers(lines):
    return [re.sub(r"\s*\d+(\.\d+)?", " N", line) for line in lines]


def without_processes(lines):
    return [re.sub(r"\b(process|parent|now|threads|and) \d+", r"\1 P", line)
            for line in lines]


def without_descriptors(lines):
    return [re.sub(r"fd \d+", "fd N", line) for line in lines]


def without_order(lines):
    return [re.sub(r"they came: .*", "they came", line) for line in lines]


def without_speed(lines):
    """Seconds, bytes and counts stay, how fast it was does not."""
    return [re.sub(r"\d+\.\d+", "T", line) for line in lines]


def without_rows(lines):
    return [re.sub(r"\|.*\|", "|row|", line) for line in without_speed(lines)]


def without_rights(lines):
    return [re.sub(r"(SOCK_RAW): .*", r"\1", line) for line in lines]


def without_costs(lines):
    """The table; select's dash stays.  The bars are as long as the costs."""
    table = [re.sub(r"\s+\d+\.\d+", " T", line) for line in lines]
    return [re.sub(r"\s+", " ", line) for line in table if "#" not in line]


def without_ways(lines):
    """Five models: how it was done depends on the kernel and on times."""
    return [line for line in without_numbers(lines)
            if not line.startswith(("    asynchronous", "      waiting"))]


def in_any_order(lines):
    """A pool: who had which task, and when it was done."""
    lines = without_speed(re.sub(r"process \d+", "process P", line) for line in lines)
    return sorted(lines)


def nothing_wrong(lines):
    """The complaint of most scenes about a run."""
    return None


def steps_too_long(lines):
    """Three tasks: where one works at a time a step is a column; threads of C or of Python
    take 15 columns, as each waits 10 at most.
    """
    how = ""
    for line in lines:
        if found := re.match(r" +([a-z ]+): ([\d.]+) s$", line):
            how = found[1]
            if how == "threads" and float(found[2]) > 16 * UNIT:
                return f"threads took {found[2]} s"
        elif "##" in line and how != "threads":
            return f"a step took too long, {how}"
    return None


def rounds_too_long(lines):
    """A pool: ten tasks of 0.1 s one by one, then two rounds of five."""
    apply, together = map(float, re.findall(r"([\d.]+) s\b", lines[-1]))
    return f"two rounds took {together} s" if apply > 1.05 or together > 0.22 else None


@dataclass
class Scene:
    name: str  # of the transcript and of the timeline
    transcript: Callable
    timeline: Optional[Callable] = None  # None: the same
    calls: tuple = ()  # more that the timeline shows
    hidden: tuple = ("getsockname", "getpeername")  # and not: Python asks at every accept
    begin: str = ""  # the timeline is cut: how the line begins with which it begins,
    until: str = ""  # the one before which it ends,
    last: str = ""  # or with which it ends
    lines: str = ""  # which printed lines it shows, where nobody drives the program
    backend: Optional[str] = None  # of the C program in the timeline
    comparable: Callable = same  # a transcript without what differs each time
    both: bool = True  # C and Python give the same
    plays: bool = False  # the page has a player: the run is recorded in all detail
    peers: dict = field(default_factory=dict)  # who is at the other end of a descriptor
    peer: str = ""  # a program at the other end, which is traced, too
    goes_to: Callable = same  # for whom it is what somebody has sent
    timed: bool = False  # others' work would show in the transcript
    complaint: Callable = nothing_wrong  # about the lines of a run that is not to be shown

    @property
    def scene(self):
        return self.timeline or self.transcript


PROCESS_CALLS = ("wait4", "kill")
# What the loops of signals and of libuv do for themselves.
INSIDE = ("getsockname", "getpeername", "epoll_create", "epoll_ctl", "eventfd", "pipe",
          "ioctl", "fcntl", "setsockopt", "close", "write", "read")

SCENES = {
    1: Scene("one-client", one_client),
    2: Scene("select-loop", select_loop, endless_select_loop, until="SIGTERM",
             plays=True),
    3: Scene("ten-clients", ten_clients, lines="client 1:",
             until="client 1: sending 'it"),
    4: Scene("poll-loop", partial(flags_loop, program="poll_loop"), plays=True),
    5: Scene("epoll-loop", partial(flags_loop, program="epoll_loop"),
             plays=True),
    6: Scene("level-edge", alone("level_edge"), last="5 more"),
    7: Scene("reactor", reactor, until="SIGTERM", backend="epoll",
             plays=True),
    8: Scene("selector-key", alone("selector_key"), comparable=without_descriptors,
             both=False, begin="epoll_ctl(ADD", last="unregistered"),
    9: Scene("select-call", alone("select_call"), begin="timeouts", last="select(2) its",
             calls=("setitimer", "rt_sigreturn")),
    10: Scene("ten-thousand", ten_thousand, partial(ten_thousand, connections="3",
                                                    messages="1"),
              comparable=without_speed, both=False, timed=True, begin="connect(",
              lines="$", last="recv(sock3) → the end", backend="epoll",
              hidden=("setsockopt", "ioctl")),
    11: Scene("chat", chat, last="recv(sock) → the end", backend="epoll", plays=True,
              peer="chat_server", peers={"stdin": "ann", "sock": "room"},
              goes_to={"ann": "room"}.get),
    12: Scene("sockets", one_by_one("sockets", "socket_options"), alone("sockets"),
              begin="connect without", until="datagrams", comparable=without_rights),
    13: Scene("io-models", alone("io_models"), calls=("io_uring_enter", "rt_sigreturn"),
              lines=r"\S", until="the page cache", comparable=without_ways, both=False,
              timed=True),
    14: Scene("server-models", server_models, each_model, calls=PROCESS_CALLS,
              hidden=INSIDE, backend="epoll", comparable=without_numbers, both=False,
              timed=True),
    15: Scene("three-tasks", alone("three_tasks", "--unit", str(UNIT)),
              calls=("clock_nanosleep",),
              hidden=INSIDE, backend="epoll", lines=r"\w+ ?\w* ?\w*: \d",
              begin="nanosleep", comparable=without_rows, both=False,
              complaint=steps_too_long),
    16: Scene("event-queue", alone("event_queue", given=EVENTS), begin="read(stdin",
              hidden=tuple(name for name in INSIDE if name != "read"), backend="epoll"),
    17: Scene("processes", alone("processes"), alone("processes", "--count", "2"),
              calls=PROCESS_CALLS, hidden=INSIDE, backend="epoll",
              comparable=without_processes),
    18: Scene("between-processes", one_by_one("between_processes", "shared_memory"),
              alone("between_processes"), calls=PROCESS_CALLS, hidden=INSIDE,
              backend="epoll", last="a pair carries: 21", comparable=without_order),
    19: Scene("pool", alone("pool"), alone("pool", "--workers", "2", "--tasks", "2"),
              calls=PROCESS_CALLS, hidden=INSIDE, backend="epoll",
              comparable=in_any_order, complaint=rounds_too_long),
    20: Scene("how-many", alone("how_many"),
              alone("how_many", "--most", "100", "--waits", "2"), lines="$",
              begin="epoll_wait(", hidden=INSIDE, comparable=without_costs, both=False,
              timed=True),
    21: Scene("coroutines", alone("coroutines"), lines=r"\d", begin="1 hears",
              hidden=tuple(name for name in INSIDE if name != "epoll_ctl"),
              backend="epoll"),
}
