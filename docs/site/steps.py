# SPDX-License-Identifier: MIT
"""The steps of a lesson's player: rows of C and Python beside each other, what there is
after each, and what is said of it.

All of it is computed from a recording (docs/site/recording.py) by docs/site/replay.py; the
words are given by `say`, which knows the language of the page.
"""
import re

import drawing
from items import Item, cut, make_rows, without_end
from labels import plain
from recording import UNFINISHED, calls_of
from replay import SETS, World, in_order

SIDES = {"c": "C", "python": "Python"}


def parts(side, world):
    """(time, kind, what) of a recording's events in their order, to be played to the world
    one by one: where a wait finds nobody ready it is two, "sleep" and "wake".
    """
    calls, asleep = calls_of(side), None
    for event in side["events"]:
        if asleep and asleep.end <= event["at"]:
            yield asleep.end, "wake", asleep
            asleep = None
        kind = next(name for name in ("act", "kernel", "end", "call") if name in event)
        if kind != "call":
            yield event["at"], kind, event[kind]
            continue
        call = next(calls)
        call.place = event["place"]
        if world.sleeps(call):
            asleep, kind = call, "sleep"
        yield call.start, kind, call
    if asleep and [asleep.result, asleep.error] != UNFINISHED:
        yield asleep.end, "wake", asleep


def is_answer(item, scene):
    """Does a client read, or a program at the other end do something?  No picture has it."""
    act = item.call if item.kind == "act" and item.call else {}
    return act.get("does") == "reads" or act.get("who") == scene.peers.get("sock", "")


def is_reading_at_will(act, scene):
    """A program at the other end may do so before or after what is next here."""
    return act["does"] == "reads" and act["who"] in scene.peers.values()


def act_text(act):
    """As scenes.py says it."""
    data = f" {act['data']!r}" if "data" in act else ""
    return f"{act['who']} {act['does']}{data}" + ", urgent" * act.get("urgent", False)


def items_of(side, scene, look=lambda world: None):
    """What is shown of one side, each item with what `look` finds after it."""
    world = World(side, scene.peers, scene.goes_to)
    yield Item(float("-inf"), "start", "", state=look(world))
    for when, kind, what in parts(side, world):
        if kind == "kernel":
            world.compare(what)
        elif kind == "end":
            yield Item(when, "act", what, state=look(world))
        elif kind == "act":
            world.act(what)
            if not is_reading_at_will(what, scene):
                yield Item(when, kind, act_text(what), call=what, state=look(world))
        elif said := world.call(what, kind):
            item = item_of_call(when, kind, what, *said, world)
            if plain(what.name) not in scene.hidden:
                item.state = look(world)
                yield item
            if scene.last and drawing.text_of(item).strip().startswith(scene.last):
                return


def item_of_call(when, kind, call, label, outcome, world):
    if kind == "sleep":
        outcome = ""
    elif plain(call.name) == "epoll_wait" and world.answer:  # whatever its data are
        outcome = " ".join(f"{world.name(fd)}:{in_order(flags)}"
                           for fd, flags in sorted(world.answer.items()))
    return Item(when, kind, label, outcome, seconds=call.seconds, call=call)


def data_text(data):
    """Bytes as a literal of C and of Python has them."""
    if not data:
        return ""
    text = data.decode("utf-8", "replace")
    return '"' + text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") + '"'


class Look:
    """What the page shows of a World, and how it says what has changed."""

    def __init__(self, say, side):
        self.say = say
        calls = list(calls_of(side))
        used = {plain(call.name) for call in calls}
        self.handed = next((name for name in ("select", "poll") if name in used), None)
        self.epolls = {int(call.arguments[0]) for call in calls
                       if plain(call.name) == "epoll_wait"}

    def __call__(self, world):
        return {"descriptors": self.descriptors(world), "lists": list(self.lists(world)),
                "queues": list(self.queues(world))}

    @staticmethod
    def descriptors(world):
        return [[fd, world.name(fd), file.kind] for fd, file in
                sorted(world.files.items())]

    def lists(self, world):
        """[title, what is asked of whom, who is ready], of each."""
        if self.handed:
            asked = world.handed[1] if world.handed else {}
            ready = world.answer
            if ready is None and world.handed:
                ready = world.ready_for(self.handed, asked)
            yield [self.handed, self.flagged(world, asked), self.flagged(world, ready or {})]
        for fd, file in sorted(world.files.items()):
            if fd in self.epolls:  # and not those that libuv has for itself
                asked = {n: events for n, (events, _) in file.interest.items()}
                yield [f"epoll {fd}", self.flagged(world, asked),
                       self.flagged(world, world.ready_of(file))]

    @staticmethod
    def flagged(world, flags):
        """[name, descriptor, flags]"""
        return [[world.name(fd), fd,
                 in_order(names) or " ".join(name for name in SETS if name in names)]
                for fd, names in sorted(flags.items())]

    def queues(self, world):
        """[who, descriptor or "", in the kernel, in the program, on its way] of each."""
        fds = {id(file.peer): fd for fd, file in world.files.items() if file.peer}
        listener = world.listener
        for peer in world.peers.values():
            waits = bool(listener) and peer in listener.backlog
            if id(peer) in fds or waits or peer.sent:
                end = self.say("the end") if peer.ended else ""
                waiting = data_text(peer.waiting + peer.urgent)
                yield [name_of(peer.name, self.say),
                       self.say("backlog") if waits else fds.get(id(peer), ""),
                       " ".join(filter(None, [waiting, end])),
                       data_text(peer.queue), data_text(peer.sent)]


def name_of(who, say):
    """Clients have names, a program at the other end has a word."""
    return say("room") if who == "room" else who


class Teller:
    """Sentences about a row, and about what has changed."""

    def __init__(self, say):
        self.say = say

    def act(self, act):
        say, who = self.say, name_of(act["who"], self.say)
        data = data_text(act.get("data", "").encode())
        if act["does"] == "sends":
            return say("{} sends {}, an urgent byte.", who, data) if act.get("urgent") \
                else say("{} sends {}.", who, data)
        if act["does"] == "reads":
            return say("{} reads {}.", who, data) if data else say("{} reads the end.", who)
        return {"connects": say("{} connects.", who), "closes": say("{} closes.", who),
                "ends": say("{} ends: it will send no more.", who),
                "resets": say("{} resets the connection.", who),
                "types": say("{} types {} and presses Enter.", who, data)}[act["does"]]

    def calls(self, c, python):
        """One sentence where both do the same, else one for each."""
        both = [(name, item) for name, item in (("C", c), ("Python", python)) if item]
        sentences = [self.one(item) for _, item in both]
        if len(both) == 2 and sentences[0] == sentences[1]:
            return self.say("C and Python: {}", sentences[0])
        return " ".join(self.say("{}: {}", name, sentence)
                        for (name, _), sentence in zip(both, sentences))

    def one(self, item):
        if item.kind == "sleep":
            return self.say("{} sleeps.", item.text)
        if re.fullmatch(r"E[A-Z]+", item.outcome):
            return self.say("{} fails with {}.", item.text, item.outcome)
        outcome = {"the end": self.say("the end"), "nothing": self.say("nothing")}.get(
            item.outcome, item.outcome)
        if item.kind == "wake":
            return self.say("{} wakes up: {}.", item.text, outcome)
        return self.say("{} returns {}.", item.text, outcome) if outcome else \
            self.say("{}.", item.text)

    def changes(self, before, after):
        return " ".join([*self.of_descriptors(before, after), *self.of_lists(before, after),
                         *self.of_queues(before, after)])

    def of_descriptors(self, before, after):
        old = {fd: name for fd, name, _ in before["descriptors"]}
        new = {fd: name for fd, name, _ in after["descriptors"]}
        for fd in sorted(old.keys() | new.keys()):
            if fd not in old:
                yield self.say("Descriptor {} is {}.", fd, new[fd])
            elif fd not in new:
                yield self.say("Descriptor {} is free.", fd)

    def of_lists(self, before, after):
        for old, new in zip(before["lists"], after["lists"]):
            if old[1] != new[1] and new[0].startswith("epoll"):
                yield self.say("The kernel keeps: {}.", self.listed(new[1]))
            if old[2] != new[2]:
                yield self.say("Ready: {}.", self.listed(new[2]))

    def listed(self, rows):
        return ", ".join(f"{name} {flags}" for name, _, flags in rows) or self.say("nobody")

    def of_queues(self, before, after):
        say, old = self.say, {row[0]: row[2:] for row in before["queues"]}
        for who, _, waiting, queued, sent in after["queues"]:
            was = old.get(who, ["", "", ""])
            if waiting not in ("", was[0]):
                yield say("Waiting in the kernel, from {}: {}.", who, waiting)
            if queued not in ("", was[1]):
                yield say("In the program's queue, for {}: {}.", who, queued)
            if sent not in ("", was[2]):
                yield say("On its way to {}: {}.", who, sent)


def raw(call, kind):
    """The call as strace shows it, with addresses and what only the kernel reads made short."""
    arguments = list(call.arguments)
    if kind == "sleep" and plain(call.name) == "epoll_wait":
        arguments[1] = "…"
    text = re.sub(r"\{sa_family=[^}]*\}", "{…}", ", ".join(arguments))
    text = re.sub(r"\b0x[0-9a-f]{8,}", "…", text)
    text = re.sub(r"data=\{u32=\d+, u64=(\d+)\}", short_data, text)
    if kind == "sleep":
        return f"{call.name}({text})"
    result = call.result.partition(" (")[0] if call.error else call.result
    return f"{call.name}({text}) = {result}"


def short_data(found):
    number = int(found[1])
    return f"data={number}" if number < 1 << 16 else f"data={number:#x}"


def number_in(items, item):
    """In a list where equal ones are once."""
    if item not in items:
        items.append(item)
    return items.index(item)


class Lane:
    """One side of the steps: its items, what it does in each step, and what it was about
    before.
    """

    def __init__(self, side, scene, say):
        items = list(items_of(side, scene, Look(say, side)))
        self.items = without_end(cut(items[1:], scene))
        self.places, self.tell = side["places"], Teller(say)
        self.status, self.call, self.place = "runs", "", []
        self.state = items[items.index(self.items[0]) - 1].state

    def step(self, item):
        """Its part of a row, or of one that it has nothing in."""
        shown = {"changes": ""}
        if item is not None:
            shown["changes"] = self.tell.changes(self.state, item.state)
            self.state = item.state
        if item is not None and item.kind != "act":
            self.call = raw(item.call, item.kind)
            self.status = "asleep" if item.kind == "sleep" else "runs"
            self.place = self.places[item.call.place]
            if item.kind == "wake":
                shown["slept"] = drawing.duration(item.seconds)
        elif self.status == "runs":
            self.call = ""
        return {**shown, "call": self.call, "status": self.status,
                "place": self.place, "state": self.state}


def make_steps(sides, scene, say):
    """{steps, states, places}: what the page's script is given; a step has the numbers of
    its states and places.
    """
    lanes = [Lane(side, scene, say) for side in sides.values()]
    data, tell = {"steps": [], "states": [], "places": []}, Teller(say)
    for pair in make_rows(*(lane.items for lane in lanes)):
        shown = next(item for item in pair if item is not None)
        is_act = shown.kind == "act"
        step = {"says": tell.act(shown.call) if is_act else tell.calls(*pair),
                "act": is_act}
        for name, lane, item in zip(SIDES, lanes, pair):
            step[name] = lane.step(item)
            for what in ("state", "place"):
                step[name][what] = number_in(data[f"{what}s"], step[name][what])
        data["steps"].append(step)
    return data


def where(place, sources):
    """Of a stack: the line in the lesson's own program, through which functions it came
    there, and through which of the other files it went on, with the last one's line.
    """
    if not place:
        return {}
    own = place[-1][0]
    mine = [one for one in place if one[0] == own]
    deeper = place[:place.index(mine[0])]
    found = {"file": own, "line": sources.number(mine[0]),
             "through": [one[1] for one in reversed(mine) if one[1] != "<module>"]}
    if deeper:
        file, _, text, _ = deeper[0]
        found |= {"into": [one[1] for one in reversed(deeper)], "text": text,
                  "at": f"{file}:{sources.number(deeper[0])}"}
    return found
