#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Python program for test_listener_python.c to talk to: peer.py ROLE FORM ADDRESS [KEY as hex]

ROLE is client or listener; both send back what they receive, until the other end is closed. A listener
takes several FORMs, with commas between them, one for each connection.
FORM is the handshake's: own (this Python's), legacy (of 3.8 to 3.11), the name of a digest (3.12 and later
with that digest); long: own, and messages are sent with the 8-byte size that is meant for 2 GiB and more.
"""
import hmac
import os
import struct
import sys
from multiprocessing import AuthenticationError, connection

REFUSED, ENDED = 3, 4


def challenge_with(form):
    def deliver(conn, key):
        text = os.urandom(20) if form == "legacy" else b"{%s}" % form.encode() + os.urandom(40)
        conn.send_bytes(b"#CHALLENGE#" + text)
        answer = conn.recv_bytes(256)
        digest = "md5"
        if len(answer) != 16:
            digest, answer = answer[1 : answer.index(b"}")].decode(), answer[answer.index(b"}") + 1 :]
        if form not in ("legacy", digest) or not hmac.compare_digest(hmac.new(key, text, digest).digest(), answer):
            conn.send_bytes(b"#FAILURE#")
            raise AuthenticationError("wrong answer")
        conn.send_bytes(b"#WELCOME#")

    def answer(conn, key):
        text = conn.recv_bytes(256)
        assert text.startswith(b"#CHALLENGE#")
        text = text[len(b"#CHALLENGE#") :]
        if form == "legacy":  # whatever it is, all of it
            conn.send_bytes(hmac.new(key, text, "md5").digest())
        else:
            name = text[1 : text.index(b"}")]
            conn.send_bytes(b"{%s}" % name + hmac.new(key, text, name.decode()).digest())
        if conn.recv_bytes(256) != b"#WELCOME#":
            raise AuthenticationError("refused")

    return deliver, answer


def address_of(text):
    family, _, rest = text.partition(":")
    if family == "unix":
        return "\0" + rest[1:] if rest.startswith("@") else rest
    host, _, port = rest.rpartition(":")
    return host, int(port)


def echo(conn, form):
    while True:
        data = conn.recv_bytes()
        if form == "long":
            data = struct.pack("!iQ", -1, len(data)) + data
            while data:
                data = data[os.write(conn.fileno(), data) :]
        else:
            conn.send_bytes(data)


def talk(form, connect):
    if form not in ("own", "long"):
        connection.deliver_challenge, connection.answer_challenge = challenge_with(form)
    try:
        echo(connect(), form)
    except AuthenticationError:
        return REFUSED
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return ENDED


def main():
    role, forms, address = sys.argv[1:4]
    key = bytes.fromhex(sys.argv[4]) if len(sys.argv) > 4 else None
    if role == "client":
        return talk(forms, lambda: connection.Client(address_of(address), authkey=key))
    listener = connection.Listener(address_of(address), authkey=key)
    print("ready", flush=True)
    return max(talk(form, listener.accept) for form in forms.split(","))


sys.exit(main())
