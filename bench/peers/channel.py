# SPDX-License-Identifier: Apache-2.0
"""Python's Queue, SimpleQueue and Pipe, as a host of bench_channel: the same figures from multiprocessing.

When it is ready it says "ready".

Requests, one a line:   alone KIND SIZE 0 SLICE_NS, stream KIND SIZE PAIRS SLICE_NS, pair KIND SIZE SETTING SLICE_NS
Answers:                ok FIGURE..., or skip REASON, or fail REASON

alone: nanoseconds of a put and a get; SIZE 8: of an integer.
stream: PAIRS of a producer and a consumer. Messages in a millisecond, gigabytes in a second, lowest share / highest.
pair: two processes, 0 on one processor, 1 asleep on two, 2 at once. Microseconds of a pass, sleeps for each wait.
"""
import os
import sys

import sync
from sync import await_start, choose_processor, context, median, mp, now, run

LARGE = 1 << 20
DEPTH = 256
BATCH = 50
LEAST_NS = 200_000_000  # it takes time until a large message has come through
HUGE = 64 << 20
HUGE_NS = 3_000_000_000
LAST = b"\1"


class Pipe:
    def __init__(self, ctx, _size):
        self.reader, self.writer = ctx.Pipe(duplex=False)

    def put(self, item):
        (self.writer.send_bytes if isinstance(item, bytes) else self.writer.send)(item)

    def get_bytes(self):
        return self.reader.recv_bytes()

    def get(self):
        return self.reader.recv()


def make_queue(ctx, size):
    return ctx.Queue(DEPTH if size < LARGE else 8)


def make_simple_queue(ctx, _size):
    return ctx.SimpleQueue()


KINDS = {"queue": make_queue, "simplequeue": make_simple_queue, "pipe": Pipe}


def getter(channel, size):
    return channel.get_bytes if isinstance(channel, Pipe) and size > 8 else channel.get


def alone(kind, size, _number, slice_ns):
    channel = KINDS[kind](context(), size)
    put, get = channel.put, getter(channel, size)
    item = bytes(size) if size > 8 else 1
    samples = []
    end = now() + slice_ns
    while len(samples) < 3 or now() < end:
        before = now()
        for _ in range(BATCH):
            put(item)
            get()
        samples.append((now() - before) / BATCH)
    return [median(samples)]


def produce(control, channel, size):
    item = bytes(size)
    count = 0
    while not control[sync.STOP]:
        channel.put(item)
        count += 1
    channel.put(LAST)
    return count, count


def consume(control, channel, size):
    get = getter(channel, size)
    count = in_time = 0
    while get() != LAST:
        count += 1
        if not control[sync.STOP]:
            in_time = count
    return in_time, count


def member(control, guard, channel, size, results, index):
    if len(results) == 4 and hasattr(os, "sched_setaffinity"):
        choose_processor(index)
    await_start(control, guard)
    results[2 * index], results[2 * index + 1] = (consume if index % 2 else produce)(control, channel, size)


def stream(kind, size, n_pairs, slice_ns):
    ctx = context()
    results = ctx.RawArray("q", 4 * n_pairs)
    arguments = (KINDS[kind](ctx, size), size, results)
    took = run(ctx, member, 2 * n_pairs, ctx.RawArray("q", 5), arguments, (max(2 * slice_ns, HUGE_NS if size >= HUGE else LEAST_NS),))
    counts, totals = list(results[::2]), list(results[1::2])
    if sum(totals[::2]) != sum(totals[1::2]):
        raise RuntimeError("what was taken out is not what was put")
    taken = sum(counts[1::2])
    share = min(min(part) / max(1, max(part)) for part in (counts[::2], counts[1::2]))
    return [taken / (took / 1e6), taken * size / took, share]


class Two:
    """One channel to each side, as sync's pairs want it."""

    def __init__(self, channels, size):
        self.channels, self.size, self.item = channels, size, bytes(size)

    def post(self, side):
        self.channels[side].put(self.item)

    def wait(self, side):
        getter(self.channels[side], self.size)()


def pair(kind, size, setting, slice_ns):
    return sync.play(lambda ctx: Two([KINDS[kind](ctx, size) for _ in range(2)], size), setting, slice_ns)


WHAT = {"alone": alone, "stream": stream, "pair": pair}


def answer(request):
    what, kind, size, number, slice_ns = request.split()
    if what == "pair":
        reason = sync.unfit(int(number))
        if reason:
            return "skip " + reason
    figures = WHAT[what](kind, int(size), int(number), int(slice_ns))
    return "ok " + " ".join(f"{figure:.9g}" for figure in figures)


if __name__ == "__main__":
    sync.serve(answer)
