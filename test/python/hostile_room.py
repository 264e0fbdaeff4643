# SPDX-License-Identifier: MIT
"""A chat room full of clients of one process, who all keep what they hear.

A room's guests are numbered as they enter, from 1 on, as the server names them.
"""
import selectors

import support


SMALL = 64 * 1024  # receive buffer; a much smaller one takes minutes to be emptied


class Member:
    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.text = bytearray()  # what it has heard
        self.ended = False
        sock.setblocking(False)

    @property
    def name(self):
        return b"guest%d" % self.number

    def read(self):
        more = self.sock.recv(1 << 17)
        self.text += more
        self.ended = not more

    def read_at_last(self):
        """All that is there for one who has not read until now, and a little later."""
        self.sock.settimeout(support.PATIENCE)
        while not self.text.endswith(b"lines skipped\n"):
            self.read()

    def without_own(self, text):
        """What others hear less what it says itself."""
        own, lines = self.name + b": ", text.splitlines(True)
        return b"".join(line for line in lines if not line.startswith(own))


class Room:
    def __init__(self, server):
        self.server = server
        self.members = []
        self.entered = 0
        self.sel = selectors.DefaultSelector()

    def close(self):
        for member in self.members:
            member.sock.close()
        self.sel.close()

    def new_member(self, **options):
        self.entered += 1
        member = Member(self.server.connect(**options), self.entered)
        self.members.append(member)
        return member

    def leave(self, member):
        self.members.remove(member)
        member.sock.close()

    def hear(self, is_done, after_pass=lambda: None):
        """Let those in the selector read until all of them are done."""
        waiting = {key.data for key in self.sel.get_map().values()}
        waiting = {member for member in waiting if not is_done(member)}
        while waiting:
            ready = self.sel.select(support.PATIENCE)
            if not ready:
                raise TimeoutError(f"{len(waiting)} wait for more")
            for key, _ in ready:
                key.data.read()
                if key.data.ended:
                    self.sel.unregister(key.fileobj)
                    key.fileobj.close()
                if key.data.ended or is_done(key.data):
                    waiting.discard(key.data)
            after_pass()

    def enter(self, count):
        """As many as that, at once.  Returns them, who have heard of each other."""
        first = self.entered + 1
        new = [self.new_member() for _ in range(count)]
        for member in new:
            self.sel.register(member.sock, selectors.EVENT_READ, member)
        last = b"guest%d" % self.entered
        ends = (b"* %b is here\n" % last,
                b"* welcome, %b: /nick NAME renames you, exit leaves\n" % last)
        self.hear(lambda member: member.text.endswith(ends))
        assert [member.number for member in new] == list(range(first, self.entered + 1))
        return new

    def enter_mute(self):
        """One who never reads."""
        mute = self.new_member(receive_buffer=SMALL)
        self.hear(lambda member: member.text.endswith(b"* %b is here\n" % mute.name))
        return mute

    def forget(self):
        """What was heard up to now has been looked at."""
        for member in self.members:
            member.text.clear()

    def say(self, said):
        """[(member, line)]: all are said, and heard by all others, who hear no more
        than they should as far as they have heard it yet.  Returns the text.
        """
        sizes = dict.fromkeys(self.members, 0)
        for member, line in said:
            member.sock.sendall(line + b"\n")
            sizes[member] += len(member.name) + len(line) + 3
        everything = sum(sizes.values())
        self.hear(lambda member: len(member.text) >= everything - sizes[member])


def transcript(member, last):
    """What one hears who enters and then `last` more do."""
    text = b"* welcome, %b: /nick NAME renames you, exit leaves\n" % member.name
    return text + b"".join(
        b"* guest%d is here\n" % number for number in range(member.number + 1, last + 1))
