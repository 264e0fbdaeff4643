#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server for one client at a time: every call waits.

What it leaves out is in ../one_client_server.py.
"""
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

    while True:
        client, _ = listener.accept()
        while echo(client):
            pass
        client.close()


if __name__ == "__main__":
    main()
