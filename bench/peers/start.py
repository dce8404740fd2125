# SPDX-License-Identifier: Apache-2.0
"""Python's Process, as a host of bench_start: the same figures from multiprocessing.

When it is ready it says "ready".

Requests, one a line:   METHOD N_CHILDREN PAYLOAD_BYTES IS_FIRST SLICE_NS
Answers:                ok FIRST JOINED CALL (microseconds), or skip REASON, or fail REASON

METHOD is spawn, fork or forkserver; the payload is bytes, passed by value. With an argument,
start.py touches that many bytes of heap first.
"""
import sys
import time

try:
    import multiprocessing as mp
except ImportError:
    mp = None

now = time.monotonic_ns
MIN_REPEATS = 2  # one start may take a tenth of a second
warm = set()


def child(stamps, index, payload):
    stamps[index] = now()


def start_once(ctx, stamps, n_children, payload):
    before = now()
    children = []
    for index in range(n_children):
        process = ctx.Process(target=child, args=(stamps, index, payload))
        process.start()
        children.append(process)
    called = now()
    for process in children:
        process.join()
    joined = now()
    if any(process.exitcode != 0 for process in children):
        raise RuntimeError("a child failed")
    first = max(stamps[:n_children])
    return first - before, (joined - before) / n_children, (called - before) / n_children


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def answer(request):
    method, n_children, payload_bytes, is_first, slice_ns = request.split()
    ctx = mp.get_context(method)
    stamps = ctx.RawArray("q", int(n_children))
    payload = b"\1" * int(payload_bytes)
    samples = []
    if is_first == "0" and method not in warm:
        warm.add(method)
        start_once(ctx, stamps, int(n_children), payload)
    end = now() + int(slice_ns)
    while True:
        samples.append(start_once(ctx, stamps, int(n_children), payload))
        if is_first != "0" or (len(samples) >= MIN_REPEATS and now() >= end):
            break
    return " ".join(f"{median(figure) / 1e3:.9g}" for figure in zip(*samples))


def main():
    heap = bytearray(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    heap[::4096] = b"\1" * len(heap[::4096])
    print("ready", flush=True)
    for line in sys.stdin:
        if mp is None:
            print("skip this Python has no multiprocessing", flush=True)
            continue
        try:
            print("ok", answer(line), flush=True)
        except Exception as error:  # the benchmark shows it and goes on with the other peers
            print("fail", str(error).replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
