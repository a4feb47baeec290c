"""Trials for hours, in laps. Each lap is a new cluster, in which every fault is applied once, those with the fewest trials first, while
visitors come all the time. A row of JSON for each trial is appended to the results, and one for the visits after the last trial. So a soak
that was ended continues where it was, also within a pause. A table of all rows is written."""

import collections
import datetime
import json
import os
import random
import time

import table
import trial
from faults import FAULTS, Impossible
from lab import Lab, libfaketime
from visitors import Visitors

SPECIAL = ("clock-step",)  # these need a cluster with other options
DEFAULT = tuple(name for name in FAULTS if name not in SPECIAL)


def names_of(text):
    """The faults named in the text, or the default ones. ValueError for an unknown name."""
    names = text.split(",") if text else list(DEFAULT)
    for name in names:
        if name not in FAULTS:
            raise ValueError(f"no such fault: {name}; there are {', '.join(FAULTS)}")
    return names


def append(results, row):
    with results.open("a") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def told(row):
    verdict = f"{row['problems']} PROBLEMS {row['shown']}" if row["problems"] or row["beats_doubled"] else "the ledgers are right"
    return f"{row['fault']:13} outage {row['outage_s']:6.2f} s, database {row['database_outage_s']:6.2f} s, back {row['back_s']:5.2f} s, {row['acknowledged']:5} writes, {verdict}"


def in_turn(names, rows):
    trials = collections.Counter(row["fault"] for row in rows if "outage_s" in row)
    return sorted(random.sample(names, len(names)), key=lambda name: trials[name])


def pause_left(rows, pause):
    """s until the next fault: the pause, less the time in which visitors came since the last fault."""
    seen = 0
    for row in rows:
        seen = 0 if "outage_s" in row else seen + row.get("visited_s", 0)
    return max(0, pause - seen)


def end_of_lap(visitors, pause):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"time": now, "fault": "end", "standbys_read": True, "pause_s": pause} | visitors.account()


def lap(lab, names, pause, results, until):
    """Applies every fault once, unless the time is over before. pause: s without a fault before each."""
    rows = table.rows_of(results)
    wait = pause_left(rows, pause)
    lab.up()
    try:
        lab.wait_until_whole()
        ledgers = trial.Ledgers(lab)
        with Visitors(trial.Site(lab), lab.hosts, ledgers.targets[0]) as visitors:
            try:
                for name in in_turn(names, rows):
                    time.sleep(max(0, min(wait, until - time.monotonic())))
                    if time.monotonic() > until:
                        break
                    one_trial(lab, ledgers, visitors, pause, name, results)
                    wait = pause
            finally:
                append(results, end_of_lap(visitors, pause))
        for problem in ledgers.lasting_problems():
            append(results, {"fault": "lap", "problems": 1, "shown": [repr(problem)[:400]], "lost": int(trial.is_lost(problem)), "doubled": int(trial.is_doubled(problem))})
            print(f"LATER {problem}", flush=True)
    finally:
        lab.down()


def one_trial(lab, ledgers, visitors, pause, name, results):
    try:
        row = trial.run(lab, ledgers, name, f"{time.time():.0f}")
    except Impossible as reason:
        print(f"{name:13} left out: {reason}", flush=True)
        return
    except Exception as error:  # after any error the campaign goes on with a new cluster
        append(results, {"fault": name, "broken": f"{type(error).__name__}: {error}"[:1000]})
        print(f"{name:13} BROKEN {error}", flush=True)
        raise
    append(results, row | {"pause_s": pause} | visitors.account())
    print(told(row), flush=True)


def soak(folder, hours, names, pause, results):
    """Runs laps until the hours are over. A lap in which a trial fails to complete is given up, and that trial counts as broken."""
    results.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + hours * 3600
    while time.monotonic() < until:
        special = set(names) & set(SPECIAL)
        lab = Lab(folder, {"clocks": libfaketime() if special else None})
        try:
            lap(lab, names, pause, results, until)
        except Exception as error:
            print(f"a lap was given up: {error}", flush=True)
        table.write(results)
    return table.write(results)
