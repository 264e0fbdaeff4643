# SPDX-License-Identifier: MIT
"""The echo server in a few lines: the Python side of the README."""
# [readme]
import selectors
import socket

sel = selectors.DefaultSelector()


def read(conn, mask):
    data = conn.recv(1000)
    if data:
        conn.sendall(data)
    else:
        sel.unregister(conn)
        conn.close()


def accept(sock, mask):
    conn, address = sock.accept()
    sel.register(conn, selectors.EVENT_READ, read)


sock = socket.create_server(("127.0.0.1", 1234))
sel.register(sock, selectors.EVENT_READ, accept)

while True:
    for key, mask in sel.select():
        key.data(key.fileobj, mask)
# [/readme]
