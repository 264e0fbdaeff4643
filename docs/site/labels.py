# SPDX-License-Identifier: MIT
"""A system call in a few words: what a timeline says of it.

describe() gives a label, "recv(A)", and an outcome, "5 bytes"; None for a call that is
about a descriptor without a name, which is none of the lesson's.
"""
import re

WAITS = {"accept", "connect", "epoll_wait", "nanosleep", "poll", "read", "recv", "select",
         "send", "waitpid", "write"}  # calls that may sleep, under their plain names
PLAIN = {"recvfrom": "recv", "recvmsg": "recv", "sendto": "send", "sendmsg": "send",
         "accept4": "accept", "epoll_pwait": "epoll_wait",
         "epoll_pwait2": "epoll_wait", "ppoll": "poll",
         "pselect6": "select", "clock_nanosleep": "nanosleep", "wait4": "waitpid",
         "clone3": "clone", "pipe2": "pipe", "eventfd2": "eventfd",
         "epoll_create1": "epoll_create", "signalfd4": "signalfd"}
DATA_LENGTH = 32


def plain(name):
    return PLAIN.get(name, name)


def data_of(text, size):
    """The beginning of what was sent or received; what is no text, as its size."""
    data = text.strip('".')
    if re.search(r"\\\d", data):
        return f"{size} bytes"
    return f'"{data[:DATA_LENGTH]}…"' if len(data) > DATA_LENGTH else f'"{data}"'


def flags_of(text):
    """The short names of an event mask."""
    return "|".join(flag.removeprefix("EPOLL").removeprefix("POLL")
                    for flag in re.findall(r"E?POLL[A-Z]+", text))


def milliseconds(text):
    if text == "-1" or text == "NULL":
        return "∞"
    if found := re.match(r"\{tv_sec=(\d+), tv_n?u?sec=(\d+)\}", text):
        scale = 1e6 if "nsec" in text else 1e3
        text = f"{int(found[1]) * 1000 + int(found[2]) / scale:.0f}"
    return f"{text} ms" if text != "0" else "0"


def sent_or_received(call, names):
    out = plain(call.name) in ("send", "write")
    label = f"{plain(call.name)}({names.name(call.arguments[0])}"
    if out:
        label += f", {data_of(call.arguments[1], call.number)}"
    if call.name in ("recvfrom", "sendto") and "MSG_OOB" in call.arguments[3]:
        label += ", OOB"
    if call.error or out:
        return label + ")", call.error
    if call.number == 0:
        return label + ")", "the end"
    return label + ")", data_of(call.arguments[1], call.number)


def epoll_ctl(call, names):
    operation = call.arguments[1].removeprefix("EPOLL_CTL_")
    events = flags_of(call.arguments[3]) if len(call.arguments) > 3 else ""
    what = f"{operation} {names.name(call.arguments[2]) or call.arguments[2]}"
    return f"epoll_ctl({what}{', ' + events if events else ''})", call.error


def told(pairs, names):
    """Who is ready, from "{fd=3, revents=POLLIN}" or "{events=EPOLLIN, data={u32=3"."""
    return " ".join(f"{names.name(fd) or fd}:{flags_of(events)}"
                    for fd, events in pairs)


def epoll_wait(call, names):
    """What data holds is the program's; where it is a descriptor it has a name."""
    label = f"epoll_wait({milliseconds(call.arguments[3])})"
    pairs = re.findall(r"\{events=([^,]+), data=\{u32=(\d+)", call.arguments[1])
    if call.error:
        return label, call.error
    known = [(fd, events) for events, fd in pairs if names.name(fd)]
    if len(known) < len(pairs):
        return label, " ".join(flags_of(events) for events, _ in pairs)
    return label, told(known, names) or "nothing"


def poll(call, names):
    count = call.arguments[1]
    label = f"poll({count} fds, {milliseconds(call.arguments[2])})"
    pairs = re.findall(r"\{fd=(\d+), revents=([^}]+)\}", call.result)
    return label, call.error or told(pairs, names) or "nothing"


def select(call, names):
    sets = [len(re.findall(r"\d+", text)) * text.startswith("[")
            for text in call.arguments[1:4]]
    timeout = call.arguments[4] if len(call.arguments) > 4 else "NULL"
    label = f"select({sets[0]}, {sets[1]}, {sets[2]}, {milliseconds(timeout)})"
    if call.error:
        return label, call.error
    ready = re.search(r"\((.*)\)", call.result)
    text = "" if ready is None else re.sub(r", left.*", "", ready[1])
    return label, told_lists(text, names) or "nothing"


def told_lists(text, names):
    """"in [4 5], out [6]" """
    if text == "Timeout":
        return "nothing"
    return re.sub(r"\[([\d ]*)\]", lambda m: "[" + " ".join(
        names.name(fd) or fd for fd in m[1].split()) + "]", text)


def clone(call, names):
    if not call.arguments or call.error:
        return "clone()", call.error
    thread = "CLONE_THREAD" in " ".join(call.arguments)
    return ("clone()", "a thread") if thread else ("fork()", "a child")


def waitpid(call, names):
    status = call.arguments[1]
    found = re.search(r"WEXITSTATUS\(s\) == (\d+)|WTERMSIG\(s\) == (\w+)", status)
    outcome = "nobody yet" if call.number == 0 else call.error
    if found:
        outcome = f"exit {found[1]}" if found[1] else found[2]
    return "waitpid()", outcome


def fcntl(call, names):
    what = " ".join(call.arguments[1:])
    if call.arguments[1] in ("F_GETFL", "F_GETFD"):
        return None
    short = "non-blocking" if "O_NONBLOCK" in what else what.split("_", 1)[-1]
    if call.arguments[1] == "F_SETFL":
        short = "non-blocking" if "O_NONBLOCK" in what else "blocking"
        if "O_ASYNC" in what or "FASYNC" in what:
            short = "tell by signal"
    return f"fcntl({names.name(call.arguments[0])}, {short})", call.error


def ioctl(call, names):
    what = call.arguments[1]
    if what == "FIONBIO":
        what = "blocking" if "[0]" in call.arguments[2] else "non-blocking"
    return f"ioctl({names.name(call.arguments[0])}, {what})", call.error


def option(call, names):
    value = ""
    if call.name == "getsockopt" and "SO_ERROR" in call.arguments[2]:
        value = call.arguments[3].strip("[]")
    what = call.arguments[2].removeprefix("SO_").removeprefix("TCP_")
    return f"{call.name}({names.name(call.arguments[0])}, {what})", call.error or value


def made(call, names):
    """Calls that make descriptors: learn() has named them."""
    if call.error:
        return f"{plain(call.name)}()", call.error
    if call.name in ("socketpair", "pipe", "pipe2"):
        text = call.arguments[3 if call.name == "socketpair" else 0]
        return f"{plain(call.name)}()", ", ".join(
            names.name(fd) or fd for fd in re.findall(r"\d+", text))
    inside = names.name(call.arguments[0]) if call.name.startswith("accept") else ""
    return f"{plain(call.name)}({inside})", names.name(call.result) or ""


def about_one(call, names):
    return f"{plain(call.name)}({names.name(call.arguments[0])})", call.error


HOW = {"epoll_ctl": epoll_ctl, "clone": clone, "clone3": clone, "fork": clone,
       "vfork": clone, "wait4": waitpid, "fcntl": fcntl, "ioctl": ioctl,
       "getsockopt": option, "setsockopt": option}
HOW |= dict.fromkeys(("epoll_wait", "epoll_pwait", "epoll_pwait2"), epoll_wait)
HOW |= dict.fromkeys(("poll", "ppoll"), poll)
HOW |= dict.fromkeys(("select", "pselect6"), select)
HOW |= dict.fromkeys(("read", "write", "recvfrom", "sendto", "recvmsg", "sendmsg"),
                     sent_or_received)
HOW |= dict.fromkeys(("socket", "accept", "accept4", "epoll_create1", "socketpair",
                      "pipe", "pipe2", "eventfd2", "signalfd4", "timerfd_create",
                      "io_uring_setup"), made)
HOW |= dict.fromkeys(("connect", "bind", "listen", "close", "shutdown", "getsockname",
                      "getpeername"), about_one)
FIRST_IS_A_DESCRIPTOR = {"read", "write", "recvfrom", "sendto", "recvmsg", "sendmsg",
                         "connect", "bind", "listen", "close", "shutdown", "getsockname",
                         "getpeername", "fcntl", "ioctl", "getsockopt", "setsockopt",
                         "accept", "accept4"}


def describe(call, names):
    """(label, outcome); None: it is not shown."""
    if call.name in FIRST_IS_A_DESCRIPTOR and names.name(call.arguments[0]) is None:
        return None
    if call.name == "signal":
        return f"{call.arguments[0]} comes", ""
    if call.name == "rt_sigreturn":
        return "its handler is over", ""
    if call.name == "exit":
        return call.arguments[0], ""
    if call.name == "clock_nanosleep":
        absolute = "TIMER_ABSTIME" in call.arguments[1]
        until = "until" if absolute else milliseconds(call.arguments[2])
        return f"nanosleep({until})", call.error
    if call.name == "kill":
        return f"kill({call.arguments[1]})", call.error
    if call.name in ("exit_group", "futex"):
        return None
    if call.name in HOW:
        return HOW[call.name](call, names)
    return f"{plain(call.name)}()", call.error
