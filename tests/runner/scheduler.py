"""Runs the jobs. Each pool of slots runs as many jobs at once as it has slots, the longest first; a job starts after those it needs.

A job may take any time while its cases end. A case that has run for STALL_SECONDS is reported with its stacks; a job without progress
for STALL_SECONDS is reported and ended. SIGUSR1 does that at once to all cases and jobs that run.
"""

import os
import selectors
import signal
import time

import jobs as processes
import stalls

STALL_SECONDS = float(os.environ.get("CHECK_STALL_SECONDS", "600"))
GRACE_SECONDS = 60  # for a job to clean up after TERM, before it is killed
TICK_SECONDS = 1
CHUNK = 65536


class Scheduler:
    def __init__(self, jobs, slots, logs, progress):
        self.jobs = jobs
        self.by_name = {job.name: job for job in jobs}
        self.slots = slots  # pool → how many
        self.logs = logs
        self.progress = progress
        self.selector = selectors.DefaultSelector()
        self.rests = {}  # descriptor → the beginning of a line that is not complete yet
        self.reported = set()  # (job, case) whose stall has been reported
        self.deadlines = {}  # job → when it is killed, after TERM
        self.interrupted = None  # the signal's number
        self.patience = STALL_SECONDS

    def run(self):
        while self.start_ready() or self.running():
            for key, _ in self.selector.select(TICK_SECONDS):
                key.data[-1](*key.data[:-1])
            processes.reap_orphans({job.process.pid for job in self.running()})
            for job in self.running():
                self.look_after(job)
            self.progress.show()
        self.selector.close()

    def interrupt(self, number, _frame):
        self.interrupted = number

    def lose_patience(self, _number, _frame):
        self.patience = 0

    def running(self):
        return [job for job in self.jobs if job.state == "running"]

    def start_ready(self):
        """Starts the jobs that fit into the free slots. Returns whether a job is left to start."""
        waiting = sorted((job for job in self.jobs if job.state == "waiting"), key=lambda job: (-job.priority, -job.seconds))
        full = set()  # pools with a ready job that is too large: slots that become free are kept for it
        for job in waiting:
            if self.interrupted or self.lacks(job):
                job.state = "ended"
                self.progress.tell_end(job)
            elif job.pool not in full and self.is_ready(job):
                if job.slots > self.free_slots(job.pool):
                    full.add(job.pool)
                else:
                    self.start(job)
        return any(job.state == "waiting" for job in self.jobs)

    def lacks(self, job):
        """Whether a tool that the job needs is missing, so that it is skipped, or a job that it needs failed, so that it is not run."""
        if missing := job.missing_tools():
            job.reader.end(f"{job.name} ({', '.join(missing)} missing)", "skipped")
            return True
        needed = [self.by_name[name] for name in job.needs]
        return any(other.state == "ended" and other.reader.count("passed") == 0 for other in needed)

    def is_ready(self, job):
        return all(self.by_name[name].state == "ended" for name in job.needs)

    def free_slots(self, pool):
        """The free slots of a pool. An empty pool counts as unlimited: a job that needs more slots than the pool has runs alone in it."""
        used = sum(job.slots for job in self.running() if job.pool == pool)
        return self.slots[pool] - used if used else float("inf")

    def start(self, job):
        job.start(self.logs)
        job.began = time.monotonic()
        job.reader.start()
        self.watch(job.process.stdout.fileno(), job, self.take_output)
        if job.events is not None:
            self.watch(job.events, job, self.take_event)

    def watch(self, descriptor, job, take):
        os.set_blocking(descriptor, False)
        self.rests[descriptor] = b""
        self.selector.register(descriptor, selectors.EVENT_READ, (descriptor, job, take, self.read))

    def wake_at_child_ends(self):
        """Makes the end of any child end the wait, too, because a zombie that is not reaped keeps PostgreSQL from starting again."""
        wakes, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.selector.register(wakes, selectors.EVENT_READ, (wakes, CHUNK, os.read))

    def read(self, descriptor, job, take):
        """Reads from one descriptor, and passes each complete line to take()."""
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self.selector.unregister(descriptor)
            return
        if descriptor == job.process.stdout.fileno():
            job.log.write(chunk)
            job.log.flush()
        *lines, self.rests[descriptor] = (self.rests[descriptor] + chunk).split(b"\n")
        for line in lines:
            take(job, line.decode(errors="replace"))

    def take_output(self, job, line):
        self.note_results(job, lambda: job.reader.read(line))

    def take_event(self, job, line):
        self.note_results(job, lambda: job.reader.read_event(line))

    def note_results(self, job, read):
        before = len(job.reader.ended)
        read()
        for case in job.reader.ended[before:]:
            if case.outcome == "failed":
                self.progress.tell_failure(job, case)

    def look_after(self, job):
        if job.process.poll() is not None:
            self.end(job)
            return
        now = time.monotonic()
        if self.interrupted and job not in self.deadlines:
            job.signal(signal.SIGTERM)
            self.deadlines[job] = now + GRACE_SECONDS
        elif job in self.deadlines:
            if now > self.deadlines[job]:
                job.signal(signal.SIGKILL)
        elif now - job.reader.last_progress > self.patience:
            self.give_up(job)
        else:
            self.report_stalls(job, now)

    def report_stalls(self, job, now):
        stalled = {(job.name, case) for case, (began, _) in job.reader.running.items() if now - began > self.patience}
        if stalled - self.reported:
            self.reported |= stalled
            self.progress.tell_stall(job, stalls.report(job))

    def give_up(self, job):
        self.drain(job)
        self.progress.tell_stall(job, stalls.report(job))
        for case in list(job.reader.running) or [job.name]:
            job.reader.end(case, "failed")
        job.signal(signal.SIGTERM)
        self.deadlines[job] = time.monotonic() + GRACE_SECONDS

    def end(self, job):
        """Reads the rest of the pipes, then takes the reader's verdict."""
        self.drain(job)
        for key in self.keys_of(job):
            self.selector.unregister(key.fd)
        job.ended = time.monotonic()
        if job.finish is not None:
            job.finish(job)
        if not self.interrupted:
            self.note_results(job, lambda: job.reader.finish(job.process.returncode))
        job.close()
        self.progress.tell_end(job)

    def keys_of(self, job):
        return [key for key in self.selector.get_map().values() if job in key.data]

    def drain(self, job):
        """Reads everything that the job has written so far."""
        for key in self.keys_of(job):
            while key.fd in self.selector.get_map() and self.is_readable(key.fd):
                self.read(*key.data[:-1])

    def is_readable(self, descriptor):
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            return bool(selector.select(0))


def run(jobs, slots, logs, progress):
    """Runs the jobs. Returns the number of the signal that interrupted the run, or None."""
    processes.adopt_orphans()
    scheduler = Scheduler(jobs, slots, logs, progress)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, scheduler.interrupt)
    signal.signal(signal.SIGUSR1, scheduler.lose_patience)
    scheduler.wake_at_child_ends()
    scheduler.run()
    return scheduler.interrupted
