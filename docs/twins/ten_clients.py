#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ten clients at once in one program that blocks: every one sends a part of the
message, then every one reads its echo, for three parts.  demo/lessons/03_ten_clients.c
is the same program in C.

send() may take less than it is given and recv() may bring less than was sent: so it is
sendall(), and an echo is complete when as many bytes are back.  (With one send() and
one recv() the program works until it doesn't.)
"""
from blocking import blocking_error, create_connection
from command_line import Option, number, read_command_line, word
from fail import EXIT_FAILURE, fail, print_out

CLIENTS = 10
PATIENCE_SECONDS = 20

MESSAGES = ["This is the message,", "it comes", "in parts,"]


def make_message(turn, client):
    """The part that a client sends in a round: its version counts all that were sent."""
    version = turn * CLIENTS + client
    return f"{MESSAGES[turn]} version {version}"


def receive_exactly(sock, size):
    """`size` bytes, or fewer before the end."""
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def send_message(sock, turn, client):
    message = make_message(turn, client)
    print_out(f"client {client}: sending '{message}'\n")
    try:
        sock.sendall(message.encode())
    except OSError as error:
        fail(EXIT_FAILURE, f"client {client} cannot send: {blocking_error(error)}")


def receive_echo(sock, turn, client):
    message = make_message(turn, client)
    try:
        echo = receive_exactly(sock, len(message))
    except OSError as error:
        fail(EXIT_FAILURE, f"client {client} has no echo: {blocking_error(error)}")
    if echo != message.encode():
        fail(EXIT_FAILURE, f"client {client} has a wrong echo of {len(echo)} bytes")
    print_out(f"client {client}: received '{echo.decode()}'\n")


def main():
    options = read_command_line("Be ten clients of an echo server at once.", [
        Option("H", "host", "HOST", "the server's name or address (127.0.0.1)",
               "127.0.0.1", word),
        Option("p", "port", "PORT", "the server's port (1234)", 1234, number(1, 65535)),
    ])

    socks = [create_connection(options.host, options.port, PATIENCE_SECONDS)
             for _ in range(CLIENTS)]
    for turn in range(len(MESSAGES)):
        for i, sock in enumerate(socks):
            send_message(sock, turn, i + 1)
        for i, sock in enumerate(socks):
            receive_echo(sock, turn, i + 1)
    for sock in socks:
        sock.close()
    print_out(f"{CLIENTS} clients, {CLIENTS * len(MESSAGES)} echoes\n")


if __name__ == "__main__":
    main()
