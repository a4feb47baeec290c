"""Measures whether each of many connections is served. This also warms up all subjects."""

import generators
import settings


def seconds_of(bench):
    return min(bench.seconds, settings.FAIRNESS_SECONDS)


def closed_loop(bench, subject, action, connections):
    stream = (action, 0, connections, "post" if action == "create" else "get", bench.request_file(action))
    return generators.pace(bench, subject.port_of(action), seconds_of(bench), settings.HOME_PATH, [stream])[action]


def run(bench):
    for subject in bench.subjects():
        if subject.name == "pgbench":
            continue
        starved, wrong, least = 0, [], None
        for action in subject.actions:
            # Creates have a phase of their own: here they would change home's answer.
            counts = () if action == "create" else settings.FAIRNESS_CONNECTIONS[-1:]
            if subject.name == "cruddurd" and not bench.quick and counts:
                counts = settings.FAIRNESS_CONNECTIONS
            for connections in counts:
                figures = closed_loop(bench, subject, action, connections)
                starved = max(starved, figures["starved"])
                share = figures["least"] / max(figures["answers"] / connections, 1e-9)
                least = share if least is None else min(least, share)
                if figures["errors"]:
                    wrong.append(f"{action} at c{connections}: {figures['errors']}")
        bench.record(f"starved/{subject.name}", starved, invalid="; ".join(wrong) or None)
        bench.record(f"fairness/{subject.name}", least)
