#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server for many clients: poll() says who is ready.

What it leaves out is in ../poll_loop.py.
"""
import select
import socket
import sys


def listen_on(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(100)
    print(f"listening on 127.0.0.1:{sock.getsockname()[1]}", flush=True)
    return sock


def echo(client):
    """Send back what arrived; false when the client is gone."""
    try:
        data = client.recv(1000)
        # Left out: a queue. A slow reader holds us up here.
        client.sendall(data)
    except OSError:
        return False
    return data != b""


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 1234
    listener = listen_on(port)
    socks = {listener.fileno(): listener}
    watched = select.poll()
    watched.register(listener, select.POLLIN)

    while True:
        for fd, _ in watched.poll():
            sock = socks[fd]
            if sock is listener:
                client, _ = listener.accept()
                socks[client.fileno()] = client
                watched.register(client, select.POLLIN)
            elif not echo(sock):
                watched.unregister(sock)
                del socks[fd]
                sock.close()


if __name__ == "__main__":
    main()
