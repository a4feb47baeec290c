"""The memory of the processes, and whether a worker's memory grows."""

import statistics
import time

import generators
import processes
import settings

WARM_UP_RUNS = 3
BOUND_KB = 256  # of growth; a scaled figure above it only means that more requests are needed


def load(bench, port, seconds):
    figures = generators.wrk(f"http://127.0.0.1:{port}", bench.request_file("mix"), settings.MEMORY_CONNECTIONS, seconds)
    return figures["requests"], figures["errors"]


def footprint(bench):
    """Quickstart's processes after some load; the bench has stopped the other pools and the peers."""
    _, errors = load(bench, bench.subject("cruddurd").port, bench.seconds)
    total = 0
    for name in ("postgres", "cruddurd", "nginx"):
        size = processes.pss_mb(processes.tree(processes.server_pid(bench.dir, name)))
        bench.record(f"memory/quickstart {name}", size)
        total += size
    bench.record("memory/quickstart", total, invalid=errors or None)


def quarter(samples, number):
    """(requests, KB) of one quarter of the samples, as medians, because a worker's size goes up and down with its work."""
    start = (number - 1) * len(samples) // 4
    part = samples[start : start + max(1, len(samples) // 4)]
    return [statistics.median(values) for values in zip(*part)]


def slope_scaled(samples, requests):
    """The growth over the second half of the samples, in KB, scaled up to FULL_REQUESTS."""
    (first_at, first), (last_at, last) = quarter(samples, 3), quarter(samples, 4)
    if last_at <= first_at:
        return 0
    return max(0.0, (last - first) / (last_at - first_at) * max(requests, settings.FULL_REQUESTS))


def growth(bench):
    """The growth of a pool of 8. With fewer requests than the target's, the growth in the second half is scaled up to the target's number.
    Then one more page can exceed the bound, and the target is undecided."""
    pool = processes.server_pid(bench.dir / "pools/eight", "cruddurd")
    wrong = []
    for _ in range(WARM_UP_RUNS):
        wrong.append(load(bench, bench.eight_port, bench.seconds)[1])
    workers = processes.children(pool)

    def largest():
        time.sleep(settings.GIVE_BACK_SECONDS)
        return max(processes.memory(worker, "Anonymous") for worker in workers)

    samples = [(0, largest())]
    asked = 0
    while asked < bench.requests:
        requests, errors = load(bench, bench.eight_port, bench.seconds)
        if requests == 0:
            raise SystemExit("the pool of 8 does not answer")
        asked += requests
        wrong.append(errors)
        samples.append((asked, largest()))
    if processes.children(pool) != workers:
        wrong.append("a worker was replaced")
    invalid = "; ".join(error for error in wrong if error) or None
    seen = quarter(samples, 4)[1] - quarter(samples, 1)[1]
    scaled = slope_scaled(samples, asked)
    bench.record("memory/pool", processes.pss_mb(processes.tree(pool)), invalid=invalid)
    bench.record("memory/growth seen", seen, [size for _, size in samples], invalid)
    if seen <= BOUND_KB < scaled:
        bench.miss("memory/growth", f"{asked} requests are too few to tell, --requests has more", "not measured")
    else:
        bench.record("memory/growth", max(seen, scaled), [size for _, size in samples], invalid)
    mix = ", ".join(f"{share} {action}" for action, share in settings.MEMORY_MIX)
    bench.notes.append(
        f"Growth of the largest of 8 workers: {seen} KB over {asked} requests to the pool (of ten: {mix}) after a warm-up; "
        + (
            f"the second half scaled up to {settings.FULL_REQUESTS} requests: {scaled:.0f} KB (--requests measures it)."
            if asked < settings.FULL_REQUESTS
            else "measured in full."
        )
    )
