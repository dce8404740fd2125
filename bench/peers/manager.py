# SPDX-License-Identifier: Apache-2.0
"""A dict of Python's Manager with one client, as a host of bench_manager.

When it is ready it says "ready".

Requests, one a line:   get SLICE_NS, set SLICE_NS
Answers:                ok FIGURE, or skip REASON, or fail REASON; microseconds a call
"""
import sync
from sync import context, median, now

N_KEYS = 1000
BATCH = 1000


def get(shared):
    for i in range(BATCH):
        if shared[f"key {i % N_KEYS}"] is None:
            raise RuntimeError("a key is not there")


def set_(shared):
    for i in range(BATCH):
        shared[f"key {i % N_KEYS}"] = i


LOOPS = {"get": get, "set": set_}


def answer(request):
    what, slice_ns = request.split()
    samples = []
    with context().Manager() as manager:
        shared = manager.dict()
        set_(shared)
        end = now() + int(slice_ns)
        while len(samples) < 3 or now() < end:
            before = now()
            LOOPS[what](shared)
            samples.append((now() - before) / BATCH / 1e3)
    return f"ok {median(samples):.17g}"


if __name__ == "__main__":
    sync.serve(answer)
