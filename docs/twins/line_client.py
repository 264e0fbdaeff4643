#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client that sends what is typed, line by line, and prints a line of answer to each.
It ends when the input does, when an answer says good bye, or when the server has gone.
demo/lessons/01_line_client.c is the same program in C.

It waits for the keyboard or for the server, never for both: a server that closes while
it waits for a line is noticed only when the line is sent.  (A client that watches both
needs a selector.)

A line is at most LINE_SIZE bytes, a longer one goes in parts.  Sent whole, it could
fill both sockets' buffers, and an echo server and this client would wait for each other
to read for ever.
"""
from blocking import create_connection, print_bytes
from command_line import Option, number, read_command_line, word

LINE_SIZE = 1024


def ask(keyboard):
    """The next line to send; a last one without a newline gets one."""
    if keyboard.isatty():
        print_bytes(b"message: ")
    try:
        line = keyboard.readline(LINE_SIZE)
    except OSError:  # closed from the start
        line = b""
    if line and len(line) < LINE_SIZE and not line.endswith(b"\n"):
        line += b"\n"
    return line


def talk(sock, answers):
    """Send lines and print answers; returns why that ended."""
    keyboard = open(0, "rb", closefd=False)  # sys.stdin is None when it was closed
    while True:
        line = ask(keyboard)
        if not line:
            return "no more lines"
        try:
            sock.sendall(line)
            line = answers.readline(LINE_SIZE)
        except OSError:
            line = b""
        if not line:
            return "the server has gone"
        print_bytes(line)
        if b"good bye" in line:
            return "the server said good bye"


def main():
    options = read_command_line("Send lines from the keyboard, print the answers.", [
        Option("H", "host", "HOST", "the server's name or address (127.0.0.1)",
               "127.0.0.1", word),
        Option("p", "port", "PORT", "the server's port (1234)", 1234, number(1, 65535)),
    ])
    with create_connection(options.host, options.port) as sock:
        with sock.makefile("rb") as answers:
            print_bytes(talk(sock, answers).encode() + b"\n")


if __name__ == "__main__":
    main()
