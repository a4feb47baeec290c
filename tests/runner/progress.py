"""What bin/check prints: failures and stalls as they occur, a line for each stage at its end, and how far the run is.

On a terminal the last line always shows the state; elsewhere a line with it is printed every minute.
"""

import re
import sys
import time

from cases import OUTCOMES, Bats, Pytest

MINUTE = 60
BAR_PAUSE = 0.5  # s between two changes of the terminal's line
WIDTH = 110
EXCERPT = 400  # lines of a failed job's log


class Progress:
    def __init__(self, jobs, out=sys.stdout):
        self.jobs = jobs
        self.stages = list(dict.fromkeys(job.stage for job in jobs))
        self.out = out
        self.is_terminal = out.isatty()
        self.began = time.monotonic()
        self.next_show = self.began + (0 if self.is_terminal else MINUTE)

    # --- while it runs ---

    def show(self):
        now = time.monotonic()
        if now < self.next_show:
            return
        self.next_show = now + (BAR_PAUSE if self.is_terminal else MINUTE)
        if self.is_terminal:
            self.out.write(f"\r\033[K{self.state()[:WIDTH]}")
            self.out.flush()
        else:
            self.say(self.state())

    def state(self):
        parts = [self.state_of(stage) for stage in self.stages]
        return f"{clock(time.monotonic() - self.began)} {', '.join(part for part in parts if part)}{self.time_left()}"

    def state_of(self, stage):
        jobs = self.of(stage)
        if all(job.state == "ended" for job in jobs) or all(job.state == "waiting" for job in jobs):
            return ""
        planned = sum(job.reader.planned or 0 for job in jobs)
        return f"{stage} {sum(len(job.reader.ended) for job in jobs)}/{planned}{'+' if any(job.reader.planned is None for job in jobs) else ''}"

    def time_left(self):
        """The estimate, from the jobs' usual seconds and this machine's speed so far."""
        everything = sum(job.work() for job in self.jobs)
        done = sum(job.work() * job.share_done() for job in self.jobs)
        if done < everything / 20:
            return ""
        return f"; about {clock((time.monotonic() - self.began) * (everything - done) / done)} left"

    def say(self, text):
        if self.is_terminal:
            self.out.write("\r\033[K")
        print(text, file=self.out, flush=True)

    def tell_failure(self, job, case):
        self.say(f"FAILED {job.name}: {case.name} ({case.seconds:.1f} s)")

    def tell_stall(self, job, lines):
        self.say("\n".join([f"STALLED {job.name}: no end for a long time", *(f"    {line}" for line in lines)]))

    # --- at the end of a job, of a stage, of all ---

    def tell_end(self, job):
        if job.log is not None and job.reader.count("failed"):
            self.say("\n".join([f"from the log of {job.name}:", *(f"    {line}" for line in excerpt(job))]))
        for figure in job.reader.figures:
            self.say(figure)
        for skip in job.reader.skips:
            self.say(f"skipped {job.name}: {skip}")
        jobs = self.of(job.stage)
        if all(other.state == "ended" for other in jobs):
            times = [(other.began, other.ended) for other in jobs if other.ended]
            seconds = max(end for _, end in times) - min(begin for begin, _ in times) if times else 0
            self.say(f"{job.stage:<10} {self.totals(jobs)} ({seconds:.0f} s)")

    def of(self, stage):
        return [job for job in self.jobs if job.stage == stage]

    def totals(self, jobs):
        return ", ".join(f"{sum(job.reader.count(outcome) for job in jobs)} {outcome}" for outcome in OUTCOMES)

    def not_run(self):
        """A line for each job with cases that have no outcome."""
        missing = [(job.name, job.reader.not_run() or int(job.log is None and not job.reader.ended)) for job in self.jobs]
        return [f"not run: {count} of {name}" for name, count in missing if count]

    def slowest(self, count):
        ended = [(case.seconds, job.name, case.name) for job in self.jobs for case in job.reader.ended]
        return [f"{seconds:8.1f} s  {job}: {case}" for seconds, job, case in sorted(ended, reverse=True)[:count]]


def clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"


def excerpt(job):
    """The part of the job's log that explains the failure: pytest's FAILURES and ERRORS, bats's lines about failed tests, else the end."""
    with open(job.log.name, errors="replace") as file:
        lines = file.read().splitlines()
    if isinstance(job.reader, Pytest):
        start = next((n for n, line in enumerate(lines) if re.match(r"=+ (FAILURES|ERRORS) =+$", line)), max(0, len(lines) - EXCERPT))
        return lines[start:][:EXCERPT]
    if isinstance(job.reader, Bats):
        return [line for line in lines if line.startswith(("not ok", "#"))][:EXCERPT]
    return lines[-EXCERPT:]
