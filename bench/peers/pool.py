# SPDX-License-Identifier: Apache-2.0
"""Python's Pool and ProcessPoolExecutor of two processes, as a host of bench_pool.

When it is ready it says "ready".

Requests, one a line:   tasks KIND SIZE SLICE_NS, one KIND PAUSE_NS SLICE_NS, stop KIND SLICE_NS, files LISTING SLICE_NS
Answers:                ok FIGURE..., or skip REASON, or fail REASON

tasks: tasks in a millisecond; SIZE 8: of an integer, otherwise of as many bytes.
one: microseconds from submitting a task until its result is there, median and the 99th of a hundred.
stop: microseconds of starting, two tasks and stopping.
files: milliseconds of the job of examples/checksums.c with the files in LISTING, which end with a zero each; the sums of
lines and words, and the first 48 bits of the digests' exclusive or.
"""
import concurrent.futures
import hashlib
import time

import sync
from sync import context, median, now

WORKERS = 2
COLD = 20


def task(number):
    return number + 1


def changed(data):
    return (int.from_bytes(data[:8], "little") + 1).to_bytes(8, "little") + data[8:]


def submit(pool, fn, items):
    return [result.get() for result in [pool.apply_async(fn, (item,)) for item in items]]


def unordered(pool, fn, items):
    return sorted(pool.imap_unordered(fn, items, chunksize=1))


def executor_submit(executor, fn, items):
    return [future.result() for future in [executor.submit(fn, item) for item in items]]


# How many tasks take some tenths of a second.
KINDS = {
    "submit": (submit, 10_000),
    "map": (lambda pool, fn, items: pool.map(fn, items), 1_000_000),
    "map_one": (lambda pool, fn, items: pool.map(fn, items, chunksize=1), 15_000),
    "unordered": (unordered, 10_000),
    "executor_submit": (executor_submit, 3_000),
    "executor_map": (lambda executor, fn, items: list(executor.map(fn, items)), 3_000),
}


def open_pool(kind):
    if kind.startswith("executor"):
        return concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=context())
    return context().Pool(WORKERS)


def tasks(kind, size, _slice_ns):
    run, count = KINDS[kind]
    size = int(size)
    if size == 8:
        fn, items = task, range(count)
        expected = list(range(1, count + 1))
    else:
        count = 2_000 if size < 1 << 20 else 16
        fn, items = changed, [i.to_bytes(8, "little") + bytes(size - 8) for i in range(count)]
        expected = [changed(item) for item in items]
    with open_pool(kind) as pool:
        run(pool, fn, items[:20])
        before = now()
        results = run(pool, fn, items)
        took = now() - before
    if results != expected:
        raise RuntimeError("a task was not done")
    return [count / (took / 1e6)]


def one(kind, pause_ns, slice_ns):
    run = KINDS[kind][0]
    pause = int(pause_ns) / 1e9
    samples = []
    with open_pool(kind) as pool:
        for i in range(COLD):
            run(pool, task, [i])
        end = now() + 4 * int(slice_ns)
        while len(samples) < 3 or now() < end:
            if pause:
                time.sleep(pause)
            before = now()
            run(pool, task, [7])
            samples.append((now() - before) / 1e3)
    return [median(samples), sorted(samples)[len(samples) * 99 // 100]]


def stop(kind, _slice_ns):
    samples = []
    for _ in range(3):
        before = now()
        pool = open_pool(kind)
        KINDS[kind][0](pool, task, [1, 2])
        if kind.startswith("executor"):
            pool.shutdown()
        else:
            pool.close()
            pool.join()
        samples.append((now() - before) / 1e3)
    return [median(samples)]


def summarize(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return 0, 0, 0
    return int.from_bytes(hashlib.sha256(data).digest()[:6], "big"), data.count(b"\n"), len(data.split())


def files(listing, _slice_ns):
    with open(listing, "rb") as file:
        paths = file.read().split(b"\0")[:-1]
    before = now()
    with context().Pool(WORKERS) as pool:
        results = pool.map(summarize, paths)
    took = now() - before
    digest = lines = words = 0
    for result in results:
        digest ^= result[0]
        lines += result[1]
        words += result[2]
    return [took / 1e6, lines, words, digest]


WHAT = {"tasks": tasks, "one": one, "stop": stop, "files": files}


def answer(request):
    what, *arguments = request.split()
    return "ok " + " ".join(f"{figure:.17g}" for figure in WHAT[what](*arguments))


if __name__ == "__main__":
    sync.serve(answer)
