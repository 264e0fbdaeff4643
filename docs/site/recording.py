# SPDX-License-Identifier: MIT
"""Runs of a lesson's program in all detail: docs/timelines/*.json.

A recording has two sides, "c" and "python".  Of each it has

    start   when the first thing is done to the program: the names of its descriptors, and
            what the kernel says of it
    events  what followed, in its order and with its time: an "act" of a client; a "call",
            as strace shows it, and where in the program it was made; a look at what the
            "kernel" says while the program sleeps; a signal, which is the "end"
    places  lines of the sources, the innermost first, each as [file, function, text, which
            of the lines with that text in the file]; a call has a number of this list

Nothing in it is computed.  docs/site/replay.py computes from it what the pages show, and
finds whether it can be true.
"""
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scenes import PATIENCE, PAUSE, SIDES, Stage
from strace import Call, Names
from tracer import WHOLE, Tracer

TOP = Path(__file__).resolve().parents[2]
TIMELINES = TOP / "docs" / "timelines"
WHEREABOUTS = Path(__file__).resolve().parent / "whereabouts.py"
STILL = 0.005  # seconds between two looks at a process that is to be asleep
LOOKS = 4
ACT = re.compile(r"(\w+) (connects|sends|types|ends|closes|resets)(?: ('.*'))?(, urgent)?")
READS = re.compile(r"(\w+) reads (?:(b?['\"].*)|the end)")
UNFINISHED = ["?", ""]  # a result and an error
KINDS = {"anon_inode:[eventpoll]": "epoll", "anon_inode:[eventfd]": "eventfd",
         "anon_inode:[signalfd]": "signalfd", "anon_inode:[timerfd]": "timerfd"}


def act_of(text):
    """{who, does, data, urgent}, or None: it is not about a client."""
    if found := READS.fullmatch(text):
        act = {"who": found[1], "does": "reads"}
        return {**act, "data": ast.literal_eval(found[2])} if found[2] else act
    found = ACT.fullmatch(text)
    if not found:
        return None
    act = {"who": found[1], "does": found[2]}
    if found[3]:
        act["data"] = ast.literal_eval(found[3])
    return {**act, "urgent": True} if found[4] else act


def state_of(pid):
    """The letter that the kernel has for what a process does; X: it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "X"
    return text.rpartition(")")[2].split()[0]


def await_sleep(pids):
    """Until all of them sleep in the kernel, whatever the machine does meanwhile."""
    deadline, looks = time.monotonic() + PATIENCE, 0
    while looks < LOOKS:
        looks = looks + 1 if all(state_of(pid) in "SXZ" for pid in pids) else 0
        if time.monotonic() > deadline:
            sys.exit("the program does not come to rest")
        time.sleep(STILL)


def kind_of(target):
    """Of a descriptor, from where its link in /proc points."""
    if target.startswith("/dev/pts/"):
        return "tty"
    return KINDS.get(target) or target.partition(":[")[0]


def watched(pid, fd):
    """What is in an epoll: {descriptor: [its events, its data]}."""
    text = Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
    found = re.findall(r"tfd: +(\d+) events: +(\w+) data: +(\w+)", text)
    return {number: [int(events, 16), int(data, 16)] for number, events, data in found}


def receive_queues():
    """By inode: how many bytes, or clients, the kernel has for a socket."""
    queues = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        queues[fields[9]] = int(fields[4].partition(":")[2], 16)
    return queues


def kernel_says(pid):
    """Of a process: its descriptors, its epolls' lists and what waits in its sockets."""
    said = {"descriptors": {}, "interest": {}, "unread": {}}
    queues = receive_queues()
    for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        kind = said["descriptors"][fd] = kind_of(target)
        if kind == "epoll":
            said["interest"][fd] = watched(pid, fd)
        inode = target.partition("[")[2].rstrip("]")
        if kind == "socket" and inode in queues:
            said["unread"][fd] = queues[inode]
    return said


class RecordedStage(Stage):
    """Notes everything down, and does nothing before the programs have come to rest."""

    def __init__(self, side, programs, tracer, scene):
        super().__init__(side, programs, tracer, scene.backend)
        self.peer = scene.peer
        self.running, self.events = [], []
        self.end = float("inf")

    def command(self, name, arguments):
        command = super().command(name, arguments)
        if name == self.peer:
            return self.tracer.peer_command(command)
        if self.side == "python":
            command.insert(1, str(WHEREABOUTS))
        return command

    def start(self, *arguments, **options):
        program = super().start(*arguments, **options)
        self.running.append(program)
        return program

    def note(self, text):
        """The recording ends with what is not about a client: a signal."""
        when, act = time.time(), act_of(text)
        self.events.append({"at": when, "act": act} if act else {"at": when, "end": text})
        if not act:
            self.end = min(self.end, when)

    def line(self, text):
        super().line(text)
        if READS.fullmatch(text):
            self.note(text)

    def act(self, text):
        if not self.acts:
            self.look()  # what there is before anything is done
        super().act(text)
        self.note(text)

    def look(self):
        await_sleep([program.process.pid for program in self.running])
        for program in self.running:
            if program.traced and state_of(program.process.pid) == "S":
                said = kernel_says(program.process.pid)
                self.events.append({"at": time.time(), "kernel": said})

    def pause(self):
        time.sleep(PAUSE)
        self.look()


def peer_acts(calls, who):
    """What a program at the other end did to its first client, as acts."""
    names = Names()
    for call in calls:
        names.learn(call)
        name = names.name(call.arguments[0]) if call.arguments else None
        names.forget(call)
        if name != "A" or call.error:
            continue
        act = {"who": who}
        if call.name == "sendto":
            act |= {"does": "sends", "data": text_of(call.arguments[1])}
        elif call.name == "recvfrom" and call.number > 0:
            act |= {"does": "reads", "data": text_of(call.arguments[1])}
        elif call.name == "close" or call.name == "shutdown":
            act |= {"does": "ends"}
        else:
            continue
        yield {"at": call.start, "act": act}


def text_of(argument):
    """What strace has quoted."""
    return argument[1:-1].encode("latin-1").decode("unicode_escape")


class Sources:
    """Lines of the tree's files, told by their text: what moves is found again."""

    def __init__(self):
        self.files = {}

    def lines(self, file):
        if file not in self.files:
            self.files[file] = (TOP / file).read_text().splitlines()
        return self.files[file]

    def place(self, file, number, function):
        lines = self.lines(file)
        text = lines[number - 1].strip()
        before = [line.strip() for line in lines[:number - 1]]
        return file, function, text, before.count(text)

    def number(self, place):
        """The line's number in the file as it is now, or None: it is gone."""
        file, _, text, which = place
        found = [i for i, line in enumerate(self.lines(file), 1) if line.strip() == text]
        return found[which] if which < len(found) else None


def c_lines(program, addresses):
    """Of each return address in a program: [(file, line, function)], inlined ones, too."""
    before = [hex(int(address, 16) - 1) for address in addresses]
    said = subprocess.run(["addr2line", "-a", "-f", "-i", "-e", str(program), *before],
                          capture_output=True, text=True, check=True,
                          timeout=PATIENCE).stdout.splitlines()
    found, current = {}, []
    for line, following in zip(said, [*said[1:], ""]):
        if line.startswith("0x"):
            current = found[hex(int(line, 16) + 1)] = []
        elif where := re.match(r"(/.+):(\d+)", following):
            file = os.path.relpath(os.path.realpath(where[1]), TOP)
            if "/demo/" in where[1] and not file.startswith("demo/"):
                sys.exit(f"{program.name} has {where[1]} in it, of another tree: a "
                         "compiler's cache can do that; compile without")
            current.append((file, int(where[2]), line))
    return found


def c_stacks(calls, program, sources):
    """Of each call that was made in the program's own sources: its places."""
    frame = re.compile(rf"{re.escape(str(program))}\(.*\) \[(0x\w+)\]")
    stacks = [[found[1] for text in call.stack if (found := frame.fullmatch(text))]
              for call in calls]
    lines = c_lines(program, sorted({address for stack in stacks for address in stack}))
    for stack in stacks:
        yield [sources.place(*line) for address in stack for line in lines[address]
               if line[0].startswith("demo/")]


def python_stacks(calls, sources):
    """Of each call but those that only tell where the program is."""
    stack = []
    for call in calls:
        if call.name == "write" and call.arguments[0] == "-1":
            words = [word.rsplit(":", 2) for word in text_of(call.arguments[1]).split()]
            stack = [sources.place(f"docs/twins/{file}", int(number), function)
                     for file, number, function in words]
        else:
            yield call, stack


def events_of_calls(calls, side, program, places):
    sources = Sources()
    if side == "python":
        placed = python_stacks(calls, sources)
    else:
        placed = zip(calls, c_stacks(calls, program, sources))
    for call, stack in placed:
        if stack not in places:
            places.append(stack)
        yield {"at": call.start, "until": call.end,
               "call": [call.name, call.arguments, call.result, call.error],
               "place": places.index(stack)}


def names_before(calls, when):
    """What the descriptors were called then."""
    names = Names()
    for call in calls:
        if call.start < when and call.name != "exit":
            names.learn(call)
            names.forget(call)
    return {str(fd): name for fd, name in sorted(names.of.items())}


def cut(events, end):
    """From the first look on, with times that count from there.  A call that goes on at the
    end has no result.
    """
    begin = next(event["at"] for event in events if "kernel" in event)
    kept = [event for event in events
            if event.get("until", event["at"]) >= begin and event["at"] <= end]
    kept.sort(key=lambda event: event["at"])
    for event in kept:
        if event.get("until", end) > end:
            event["until"] = end
            event["call"][2:] = UNFINISHED
        for name in {"at", "until"} & set(event):
            event[name] = round(event[name] - begin, 6)
    return begin, kept


def record_side(scene, side, programs):
    """One run of one side."""
    stacks = ("-k",) if side == "c" else ()
    with tempfile.TemporaryDirectory() as directory:
        tracer = Tracer(directory, scene.calls, (*WHOLE, *stacks))
        with RecordedStage(side, programs, tracer, scene) as stage:
            scene.scene(stage)
        calls, *peers = tracer.read()
    program = next(p for p in stage.running if p.traced)
    places = []
    events = list(events_of_calls(calls, side, programs / program.name, places))
    acts = [act for log in peers for act in peer_acts(log, scene.peers["sock"])]
    begin, kept = cut([*stage.events, *acts, *events], stage.end)
    start = next(event for event in kept if "kernel" in event)
    kept.remove(start)
    return {"start": {"names": names_before(calls, begin), "kernel": start["kernel"]},
            "events": kept, "places": in_use(kept, places)}


def end(side, when):
    """Leaves out what is later and not shown: how the program ends."""
    kept = [event for event in side["events"] if event["at"] <= when or "end" in event]
    side |= {"events": kept, "places": in_use(kept, side["places"])}


def in_use(events, places):
    """The places that these events are at; numbers the events anew."""
    used = []
    for event in events:
        if "place" in event:
            place = places[event["place"]]
            if place not in used:
                used.append(place)
            event["place"] = used.index(place)
    return used


def record(scene, programs):
    return {side: record_side(scene, side, programs) for side in SIDES}


def calls_of(side):
    """The calls of a recording's side as they were read from strace's log."""
    for event in side["events"]:
        if "call" in event:
            name, arguments, result, error = event["call"]
            yield Call(0, event["at"], event["until"], name, arguments, result, error)


def path_of(number, scene):
    return TIMELINES / f"{number:02}-{scene.name}.json"


def load(number, scene):
    return json.loads(path_of(number, scene).read_text())


def one_a_line(side):
    """JSON that a diff can show: an event and a place a line."""
    def rows(items):
        return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False)
                                  for item in items) + "]"

    return ('{"start": ' + json.dumps(side["start"]) + ',\n"events": '
            + rows(side["events"]) + ',\n"places": ' + rows(side["places"]) + "}")


def save(number, scene, sides):
    text = ",\n".join(f'"{name}": {one_a_line(side)}' for name, side in sides.items())
    path_of(number, scene).write_text("{" + text + "}\n")
