"""PostgreSQL away, frozen, killed or out of reach.

Each fault is a function of a scene that runs one round of it, and returns (measures, what was wrong).
"""

import contextlib
import time

import settings
import traces
from cable import Cable
from pool import secret_file
from traces import Traffic

# Requests per second, and enough connections for all requests of the longest wait.
STREAMS = {"livez": (100, 16), "kept": (20, 80), "show": (40, 160), "create": (15, 64)}
LOAD = {"show": (100, 64), "create": (50, 64)}
KEYS_OF_CABLE = [f"fault/cable cut/{what}" for what in ("livez", "other answers", "normal again")]
FAILURES = {name: (503, 504) for name in ("kept", "show", "create")}


def first_success(traffic, since, until):
    """Milliseconds to the first good read or the first good write, whichever came later."""
    return max(traces.milliseconds_to_good(traffic.answers[name], since, until) for name in LOAD)


def down_at_start(scene):
    with contextlib.ExitStack() as away:
        away.enter_context(scene.database.away(scene.database.stop))
        pool = away.enter_context(scene.pool())
        pool.until_answer("/livez")
        with Traffic(scene.bench, pool.port, **LOAD) as traffic:
            time.sleep(settings.LOAD_SECONDS)
            accepted = scene.database.start()
            time.sleep(settings.RETURN_SECONDS)
        took = first_success(traffic, accepted, accepted + settings.RETURN_SECONDS)
    return {"fault/PostgreSQL down at start/first success": took}, [traffic.wrong(**FAILURES)]


def restart_under_load(scene):
    scene.bench.sql("checkpoint")
    with scene.pool() as pool:
        scene.warm(pool)
        with Traffic(scene.bench, pool.port, **LOAD) as traffic:
            time.sleep(settings.LOAD_SECONDS)
            accepted = scene.database.restart()
            time.sleep(settings.RETURN_SECONDS)
        took = first_success(traffic, accepted, accepted + settings.RETURN_SECONDS)
    return {"fault/PostgreSQL restarted under load/first success": took}, [traffic.wrong(**FAILURES)]


def outage(scene, name, fault, after_seconds, **pool_options):
    seconds = settings.OUTAGE_SECONDS_QUICK if scene.bench.quick else settings.OUTAGE_SECONDS
    with scene.pool(**pool_options) as pool:
        scene.warm(pool)
        with Traffic(scene.bench, pool.port, **STREAMS) as traffic:
            time.sleep(settings.LOAD_SECONDS)
            with fault():
                time.sleep(seconds)
            back = time.monotonic()
            until = traffic.until_normal(FAILURES, back, after_seconds)
    wrong = [traffic.wrong(**FAILURES)]
    if {answer.status for answer in traffic.all_of("show", "create")} <= {200}:
        wrong.append("nothing failed, so it was no outage")
    normal = max(traces.milliseconds_to_normal(traffic.answers[stream], back, until) for stream in FAILURES)
    return {
        f"fault/{name}/livez": traces.worst(traffic.answers["livez"]),
        f"fault/{name}/other answers": traces.worst(traffic.all_of(*FAILURES)),
        f"fault/{name}/normal again": normal,
    }, wrong


def postgresql_frozen(scene):
    return outage(scene, "PostgreSQL frozen", scene.database.frozen, settings.AFTER_SECONDS)


def postgresql_killed(scene):
    scene.bench.sql("checkpoint")
    return outage(scene, "PostgreSQL killed", lambda: scene.database.away(scene.database.kill), settings.AFTER_SECONDS)


def cable_cut(scene):
    """During this PostgreSQL also listens on the cable."""
    access = scene.bench.dir / "pg_hba-cable.conf"
    with Cable() as cable:
        access.write_text(f"local all all scram-sha-256\nhost all all {cable.near_address}/32 scram-sha-256\n")
        scene.database.restart("-c", f"listen_addresses={cable.far_address}", "-c", f"hba_file={access}")
        try:
            usual = (scene.bench.dir / "secrets/app-url").read_text()
            text = usual.replace(f"host={scene.bench.sockets}/db", f"host={cable.far_address}")
            with secret_file(scene.bench, "cable-url", text) as url:
                options = {"launcher": cable.inside(), "connection_url_file": url}
                return outage(scene, "cable cut", cable.cut, settings.AFTER_CUT_SECONDS, **options)
        finally:
            scene.database.restart()
