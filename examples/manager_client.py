#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client of mproc's managers, with nothing but Python's own library; docs/manager-protocol.md is what it speaks.

    with Manager("unix:/run/app", b"secret password") as manager:
        colours = manager.get("colours")
        colours.set("sky", "blue")

manager_client.py ADDRESS talks to manager.c; --run PROGRAM starts that first.
"""
import struct
import subprocess
import sys
from multiprocessing.connection import Client

try:
    import msgpack
except ImportError:
    msgpack = None

KINDS = {17: "Lock", 18: "RLock", 19: "Semaphore", 20: "Event", 21: "Condition", 22: "Barrier", 23: "Value",
         24: "Array", 30: "dict", 31: "list", 32: "Queue"}
ETIMEDOUT = -3
OBJECT = 1  # the extension type of references


class Failure(Exception):
    """What a method of the server's says: its status, and a sentence."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


class Reference:
    """The number by which the server knows an object."""

    def __init__(self, number):
        self.number = number


# ---- MessagePack, as much of it as the protocol needs --------------------------------------------------------------


def head(count, short, most_short, sizes):
    """The first bytes of something with a length: in one byte, or behind one of the codes in `sizes`."""
    if count < most_short:
        return bytes([short | count])
    for code, form in sizes:
        if count < 1 << 8 * struct.calcsize(form):
            return bytes([code]) + struct.pack(form, count)
    raise ValueError("too long")


def pack_int(x):
    if -32 <= x < 128:
        return struct.pack(">b", x)
    return b"\xd3" + struct.pack(">q", x) if x < 1 << 63 else b"\xcf" + struct.pack(">Q", x)


def pack(x):
    if x is None:
        return b"\xc0"
    if isinstance(x, bool):
        return b"\xc3" if x else b"\xc2"
    if isinstance(x, int):
        return pack_int(x)
    if isinstance(x, float):
        return b"\xcb" + struct.pack(">d", x)
    if isinstance(x, str):
        data = x.encode()
        return head(len(data), 0xA0, 32, [(0xD9, ">B"), (0xDA, ">H"), (0xDB, ">I")]) + data
    if isinstance(x, (bytes, bytearray)):
        return head(len(x), 0, 0, [(0xC4, ">B"), (0xC5, ">H"), (0xC6, ">I")]) + x
    if isinstance(x, (list, tuple)):
        return head(len(x), 0x90, 16, [(0xDC, ">H"), (0xDD, ">I")]) + b"".join(map(pack, x))
    if isinstance(x, dict):
        pairs = b"".join(pack(k) + pack(v) for k, v in x.items())
        return head(len(x), 0x80, 16, [(0xDE, ">H"), (0xDF, ">I")]) + pairs
    if isinstance(x, Reference):
        return b"\xd7" + struct.pack(">bQ", OBJECT, x.number)
    raise TypeError(f"no MessagePack of {type(x)}")


class Reader:
    """Values, one after the other, out of bytes."""

    SCALARS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h",
               0xD2: ">i", 0xD3: ">q"}
    LENGTHS = {0xC4: (">B", "bytes"), 0xC5: (">H", "bytes"), 0xC6: (">I", "bytes"), 0xD9: (">B", "text"),
               0xDA: (">H", "text"), 0xDB: (">I", "text"), 0xDC: (">H", "list"), 0xDD: (">I", "list"),
               0xDE: (">H", "map"), 0xDF: (">I", "map")}

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        (x,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return x

    def read(self):
        code = self.take(">B")
        if code < 0x80:
            return code
        if code < 0x90:
            return self.fill("map", code & 15)
        if code < 0xA0:
            return self.fill("list", code & 15)
        if code < 0xC0:
            return self.fill("text", code & 31)
        if code >= 0xE0:
            return code - 256
        if code in self.SCALARS:
            return self.take(self.SCALARS[code])
        if code in self.LENGTHS:
            form, what = self.LENGTHS[code]
            return self.fill(what, self.take(form))
        if code == 0xD7:
            self.take(">b")
            return Reference(self.take(">Q"))
        return {0xC0: None, 0xC2: False, 0xC3: True}[code]

    def fill(self, what, count):
        if what == "list":
            return [self.read() for _ in range(count)]
        if what == "map":
            return {key(self.read()): self.read() for _ in range(count)}
        data = self.data[self.at:self.at + count]
        self.at += count
        return data.decode() if what == "text" else data


def key(x):
    return tuple(x) if isinstance(x, list) else x


def encode(x):
    if msgpack is None:
        return pack(x)
    return msgpack.packb(x, default=lambda r: msgpack.ExtType(OBJECT, struct.pack(">Q", r.number)))


def decode(data):
    if msgpack is None:
        return Reader(data).read()
    return msgpack.unpackb(data, ext_hook=lambda code, data: Reference(*struct.unpack(">Q", data)),
                           strict_map_key=False)


# ---- the client ----------------------------------------------------------------------------------------------------


def address_of(text):
    """An address of mproc's as Python has it."""
    family, rest = text.split(":", 1)
    if family == "tcp":
        host, port = rest.rsplit(":", 1)
        return host.strip("[]"), int(port)
    if family == "pipe":
        return r"\\.\pipe" + "\\" + rest
    return "\0" + rest[1:] if rest.startswith("@") else rest


class Proxy:
    """An object of the server's: its methods are those of include/mproc/manager.h, with `timeout` in seconds."""

    def __init__(self, manager, number):
        self.manager, self.number = manager, number

    def __getattr__(self, method):
        return lambda *args, timeout=None: self.manager.call(self.number, method, args, timeout)

    def __repr__(self):
        return f"<{KINDS.get(self.number >> 48, 'object')} of {self.manager.address}>"

    def __del__(self):
        self.manager.dropped.append(self.number)


class Manager:
    """One connection: for one thread at a time, as it asks one thing at a time."""

    def __init__(self, address, authkey):
        self.address = address
        self.dropped = []
        self.connection = Client(address_of(address), authkey=authkey)
        if self.ask([0, "mproc manager", 1]) != 1:
            raise ConnectionError("another version")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.connection.close()

    def exchange(self, request):
        """Ask; but first give back what is not used any more, for in between nothing may be said."""
        dropped, self.dropped = self.dropped, []
        if dropped:
            self.connection.send_bytes(encode([3, dropped]))
        self.connection.send_bytes(encode(request))
        return decode(self.connection.recv_bytes())

    def ask(self, request):
        return self.result(self.exchange(request))

    def result(self, answer):
        status, result = answer
        if status < 0:
            raise Failure(status, result)
        return self.proxies(result)

    def proxies(self, x):
        """A value with proxies for references."""
        if isinstance(x, Reference):
            return Proxy(self, x.number)
        if isinstance(x, list):
            return [self.proxies(item) for item in x]
        if isinstance(x, dict):
            return {k: self.proxies(v) for k, v in x.items()}
        return x

    def references(self, x):
        """And the other way round."""
        if isinstance(x, Proxy):
            return Reference(x.number)
        if isinstance(x, (list, tuple)):
            return [self.references(item) for item in x]
        if isinstance(x, dict):
            return {k: self.references(v) for k, v in x.items()}
        return x

    def call(self, number, method, args=(), timeout=None):
        limit = None if timeout is None else int(timeout * 1e9)
        return self.ask([1, number, method, self.references(args), limit])

    def batch(self, calls):
        """Many calls in one message: [(proxy, method, args), ...]; a result, or a Failure, for each."""
        request = [[proxy.number, method, self.references(args)] for proxy, method, args in calls]
        answers = self.exchange([2, request])
        if len(answers) == 2 and isinstance(answers[0], int):
            self.result(answers)
        return [self.proxies(x) if status >= 0 else Failure(status, x) for status, x in answers]

    def create(self, kind, *args):
        return self.call(0, "create", (kind, *args))

    def get(self, name):
        return self.call(0, "get", (name,))

    def publish(self, name, proxy):
        self.call(0, "publish", (name, proxy))


# ---- manager.c's end -----------------------------------------------------------------------------------------------


def talk(address):
    with Manager(address, b"secret password") as manager:
        colours = manager.get("colours")
        colours.set("sky", "blue")
        print(colours)
        print(colours.get("sky"), colours.items(), colours.increment("visits", 3))
        for result in manager.batch([(colours, "contains", ["sky"]), (colours, "get", ["sea"])]):
            print(repr(result))
        shelf = manager.create("list")
        shelf.append(colours)  # by reference
        shelf.append({"sky": b"\0", "deep": [1.5, -2**40, None]})  # a copy
        colours.set("sky", "grey")
        print(shelf.get(0).get("sky"), shelf.get(1))
        try:
            manager.create("Lock").release()
        except Failure as failure:
            print("failed:", failure.status)
        try:
            manager.create("Queue").get(timeout=0.01)
        except Failure as failure:
            print("timed out:", failure.status == ETIMEDOUT)
        manager.get("done").set()


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        with subprocess.Popen([sys.argv[2], "serve"], stdout=subprocess.PIPE, text=True) as server:
            talk(server.stdout.readline().strip())
            print(server.stdout.read(), end="")
    else:
        talk(sys.argv[1])
