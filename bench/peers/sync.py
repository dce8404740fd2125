# SPDX-License-Identifier: Apache-2.0
"""Python's Lock, Event and Condition, as a host of bench_sync: the same figures from multiprocessing.

When it is ready it says "ready".

Requests, one a line:   KIND NUMBER SLICE_NS
Answers:                ok FIGURE..., or skip REASON, or fail REASON

alone 1: nanoseconds of an acquire and a release.
contend N: N processes. Acquisitions in a millisecond, lowest share / highest, longest wait in us.
event SETTING, condition SETTING: two processes, 0 on one processor, 1 asleep on two, 2 at once. Microseconds of a pass,
sleeps for each wait.
"""
import os
import sys
import time

try:
    import multiprocessing as mp
except ImportError:
    mp = None
try:
    import resource
except ImportError:
    resource = None

now = time.monotonic_ns
BATCH = 200
WORK_NS = 100_000
COLD_PASSES = 20
ONE_PROCESSOR, ASLEEP, AT_ONCE = range(3)


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def context():
    methods = mp.get_all_start_methods()
    return mp.get_context("fork" if "fork" in methods else "spawn")


def alone(_number, slice_ns):
    lock = context().Lock()
    samples = []
    end = now() + slice_ns
    while len(samples) < 3 or now() < end:
        before = now()
        for _ in range(BATCH):
            lock.acquire()
            lock.release()
        samples.append((now() - before) / BATCH)
    return [median(samples)]


READY, GO, STOP, LAST, SENT = range(5)


def await_start(control, guard):
    with guard:
        control[READY] += 1
    while not control[GO]:
        time.sleep(0.0001)


def choose_processor(index):
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [processors[index % len(processors)]])


def contender(control, guard, lock, words, results, index):
    count = longest = 0
    if len(results) == 4 and hasattr(os, "sched_setaffinity"):
        choose_processor(index)
    await_start(control, guard)
    while control[STOP] == 0:
        lock.acquire()
        for i in range(4):
            words[i] += 1
        lock.release()
        count += 1
    results[2 * index] = count
    while control[STOP] == 1:
        before = now()
        lock.acquire()
        longest = max(longest, now() - before)
        for i in range(4):
            words[i] += 1
        lock.release()
    results[2 * index + 1] = longest


def run(ctx, target, n, control, arguments, spans_ns):
    """Start n processes, let them begin, end each span, join. How long the first span really was."""
    guard = ctx.Lock()
    children = [ctx.Process(target=target, args=(control, guard, *arguments, i)) for i in range(n)]
    for child in children:
        child.start()
    while control[READY] < n:
        time.sleep(0.0001)
    begin = now()
    control[GO] = 1
    took = 0
    for span in spans_ns:
        time.sleep(span / 1e9)
        control[STOP] += 1
        took = took or now() - begin
    for child in children:
        child.join(30)
    if any(child.exitcode != 0 for child in children):
        for child in children:
            child.kill()
        raise RuntimeError("a child failed")
    return took


def contend(n, slice_ns):
    ctx = context()
    results = ctx.RawArray("q", 2 * n)
    arguments = (ctx.Lock(), ctx.RawArray("q", 4), results)
    took = run(ctx, contender, n, ctx.RawArray("q", 5), arguments, (2 * slice_ns, slice_ns))
    counts, longest = results[::2], results[1::2]
    return [sum(counts) / (took / 1e6), min(counts) / max(counts), max(longest) / 1e3]


def sleeps():
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw if resource else 0


class Events:
    def __init__(self, ctx):
        self.events = ctx.Event(), ctx.Event()

    def post(self, side):
        self.events[side].set()

    def wait(self, side):
        self.events[side].wait()
        self.events[side].clear()


class Condition:
    def __init__(self, ctx):
        self.condition, self.flags = ctx.Condition(), ctx.RawArray("b", 2)

    def post(self, side):
        with self.condition:
            self.flags[side] = 1
            self.condition.notify()

    def wait(self, side):
        with self.condition:
            while not self.flags[side]:
                self.condition.wait()
            self.flags[side] = 0


class Player:
    def __init__(self, control, pair, index, setting):
        self.control, self.pair, self.index = control, pair, index
        self.works = setting == ASLEEP
        self.passes = 0
        self.samples = []

    def post(self):
        if self.works:
            self.control[SENT] = now()
        self.pair.post(1 - self.index)

    def wait(self):
        self.pair.wait(self.index)
        self.passes += 1
        if self.works:
            at = now()
            self.samples.append((at - self.control[SENT]) / 1e3)
            while now() < at + WORK_NS:
                pass
        if self.passes == COLD_PASSES:
            self.sleeps_before = sleeps()
            self.begin = now()

    def play(self):
        if self.index == 0:
            while not self.control[LAST]:
                self.control[LAST] = self.control[STOP] and self.passes > COLD_PASSES
                self.post()
                self.wait()
        else:
            is_last = False
            while not is_last:
                self.wait()
                is_last = self.control[LAST]
                self.post()

    def result(self):
        n = self.passes - COLD_PASSES
        took = (now() - self.begin) / 1e3 / n / 2
        slept = (sleeps() - self.sleeps_before) / n
        return median(self.samples[COLD_PASSES:]) if self.works else took, slept


def player(control, guard, pair, setting, results, index):
    choose_processor(0 if setting == ONE_PROCESSOR else index)
    if setting == ONE_PROCESSOR:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    await_start(control, guard)
    one = Player(control, pair, index, setting)
    one.play()
    results[2 * index], results[2 * index + 1] = one.result()


def play(pair, setting, slice_ns):
    ctx = context()
    results = ctx.RawArray("d", 4)
    arguments = (pair(ctx), setting, results)
    run(ctx, player, 2, ctx.RawArray("q", 5), arguments, (slice_ns,))
    return [(results[0] + results[2]) / 2, (results[1] + results[3]) / 2]


def event(setting, slice_ns):
    return play(Events, setting, slice_ns)


def condition(setting, slice_ns):
    return play(Condition, setting, slice_ns)


KINDS = {"alone": alone, "contend": contend, "event": event, "condition": condition}


def unfit(setting):
    """Why ping-pong cannot be played here."""
    if not hasattr(os, "sched_setaffinity"):
        return "this Python cannot choose processors"
    if setting != ONE_PROCESSOR and len(os.sched_getaffinity(0)) < 2:
        return "there is only one processor"
    return None


def answer(request):
    kind, number, slice_ns = request.split()
    number = int(number)
    reason = unfit(number) if kind in ("event", "condition") else None
    if reason:
        return "skip " + reason
    figures = KINDS[kind](number, int(slice_ns))
    return "ok " + " ".join(f"{figure:.9g}" for figure in figures)


def serve(answer):
    print("ready", flush=True)
    for line in sys.stdin:
        if mp is None:
            print("skip this Python has no multiprocessing", flush=True)
            continue
        try:
            print(answer(line), flush=True)
        except Exception as error:  # the benchmark shows it and goes on with the other peers
            print("fail", str(error).replace("\n", " "), flush=True)


if __name__ == "__main__":
    serve(answer)
