#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python end of listener.c: listener_client.py ADDRESS, or --run PROGRAM to start that first."""
import array
import subprocess
import sys
from multiprocessing.connection import Client


def address_of(text):
    """An address of mproc's as Python has it."""
    family, rest = text.split(":", 1)
    if family == "tcp":
        host, port = rest.rsplit(":", 1)
        return host, int(port)
    if family == "pipe":
        return r"\\.\pipe" + "\\" + rest
    return "\0" + rest[1:] if rest.startswith("@") else rest


def talk(address):
    with Client(address_of(address), authkey=b"secret password") as connection:
        print(connection.recv_bytes())
        numbers = array.array("i", [0, 0, 0, 0, 0])
        print(connection.recv_bytes_into(numbers))
        print(numbers)
        connection.send_bytes(b"thank you")


if sys.argv[1] == "--run":
    with subprocess.Popen([sys.argv[2], "serve"], stdout=subprocess.PIPE, text=True) as listener:
        talk(listener.stdout.readline().strip())
        print(listener.stdout.read(), end="")
else:
    talk(sys.argv[1])
