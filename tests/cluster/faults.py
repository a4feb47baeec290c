"""The faults, by name. A trial applies a fault to the running cluster, checks that it happened, and heals it.

A fault is a generator: it applies itself, yields what was seen of it, and heals itself after the yield. moves: another node must become
the leader before the fault is healed. seconds: the fault lasts at least for so long, and longer if no write is acknowledged yet.
"""

import collections
import contextlib
import time

from waiting import eventually

SEEN = 20  # s in which an immediate effect of a fault must be seen
ELECTED = 90  # s in which there must be another leader
FREEZE_MORE = 3  # s between the successor's election and the end of the freeze
COMES_BACK = 20  # s for a node whose disk was full to run again, before it is made anew
STEP_S = 3600
SLOW = (("netem", "delay", "100ms", "20ms", "loss", "1%"), ("tbf", "rate", "2mbit", "burst", "16kbit", "latency", "400ms"))

Fault = collections.namedtuple("Fault", "name apply moves seconds summary")
FAULTS = {}


class Impossible(Exception):
    """This machine cannot apply the fault; its text is the reason."""


def fault(name, moves=False, seconds=5):
    def add(function):
        FAULTS[name] = Fault(name, contextlib.contextmanager(function), moves, seconds, function.__doc__.splitlines()[0])
        return function

    return add


def seen(condition, what):
    eventually(condition, SEEN, what)
    return what


def primary_of(lab):
    return eventually(lab.leader, SEEN, "a leader")


def wait_for_successor(lab, old):
    return eventually(lambda: (leader := lab.leader()) is not None and leader is not old and leader, ELECTED, f"a leader other than {old.name}")


@fault("nothing", seconds=10)
def nothing(lab):
    """No fault: what the writers and the machine do by themselves."""
    yield f"{primary_of(lab).name} stays the primary"


@fault("switchover", moves=True, seconds=0)
def switchover(lab):
    """The operator makes the synchronous standby the primary."""
    old, new = primary_of(lab), eventually(lab.standby, SEEN, "a synchronous standby")
    status, answer = old.patroni("/switchover", {"leader": old.name, "candidate": new.name}, ELECTED)
    if status != 200:
        raise AssertionError(f"the switchover from {old.name} to {new.name} was refused: {answer}")
    yield seen(lambda: lab.leader() is new, f"{old.name} handed over to {new.name}")


@fault("kill-primary", moves=True, seconds=0)
def kill_primary(lab):
    """PostgreSQL of the primary is killed, all its processes at once; its Patroni goes on."""
    old = primary_of(lab)
    yield f"{old.kill('postgres')} processes of PostgreSQL on {old.name} killed"


@fault("kill-node", moves=True)
def kill_node(lab):
    """The primary's machine is lost: every process on it is killed."""
    old = primary_of(lab)
    count = old.kill()
    yield seen(lambda: not old.pids(), f"all {count} processes on {old.name} killed")
    old.start_all()


@fault("kill-patroni", moves=True)
def kill_patroni(lab):
    """Patroni of the primary is killed alone: its PostgreSQL goes on as a primary that belongs to no cluster."""
    old = primary_of(lab)
    old.kill("patroni")
    yield seen(lambda: not old.pids("patroni") and old.pids("postgres"), f"no Patroni on {old.name}, PostgreSQL runs")
    old.start_all()


@fault("kill-standby")
def kill_standby(lab):
    """The synchronous standby's machine is lost."""
    standby = eventually(lab.standby, SEEN, "a synchronous standby")
    count = standby.kill()
    yield seen(lambda: not standby.pids(), f"all {count} processes on {standby.name}, the synchronous standby, killed")
    standby.start_all()


@fault("split", moves=True)
def split(lab):
    """The primary is cut from etcd and from the other two; the service still reaches it."""
    old = primary_of(lab)
    with cut_off(lab, old):
        yield f"{old.name} cut from the other nodes, not from the service"


@fault("split-crash", moves=True)
def split_crash(lab):
    """As split, and meanwhile a session of the service is killed on the primary, so that PostgreSQL restarts there."""
    old = primary_of(lab)
    with cut_off(lab, old):
        backend = backend_of_service(lab, old)
        old.run("kill", "-KILL", backend)
        yield f"{old.name} cut from the other nodes, its session {backend} killed"


@contextlib.contextmanager
def cut_off(lab, node):
    others = ", ".join(other.address for other in lab.nodes.values() if other is not node)
    node.run("nft", "add table ip split; add chain ip split in { type filter hook input priority 0; }; add chain ip split out { type filter hook output priority 0; }; "
             f"add rule ip split in ip saddr {{ {others} }} drop; add rule ip split out ip daddr {{ {others} }} drop")  # fmt: skip
    try:
        yield
    finally:
        node.run("nft", "delete table ip split")


def backend_of_service(lab, node):
    rows = lab.sql("select pid from pg_stat_activity where usename = 'cruddur' order by application_name like '%writing' desc", address=node.address)
    return rows[0][0]


@fault("freeze", moves=True, seconds=FREEZE_MORE)
def freeze(lab):
    """Every process of the primary's machine is stopped, as when a virtual machine is paused, and goes on when it has a successor."""
    old = primary_of(lab)
    try:
        old.freeze()
        yield seen(lambda: old.states() == {"T"}, f"{len(old.pids())} processes on {old.name} stopped")
    finally:
        old.thaw()


@fault("etcd-loss", seconds=10)
def etcd_loss(lab):
    """One of the three etcd is killed: its leader's node of Patroni looks for another one."""
    node = primary_of(lab)
    node.kill("etcd")
    yield seen(lambda: not node.etcd_is_healthy(), f"no etcd on {node.name}")
    node.start_all()


@fault("etcd-quorum", seconds=20)
def etcd_quorum(lab):
    """Two of the three etcd are killed: there is no majority, and by failsafe_mode the primary stays one."""
    nodes = list(lab.nodes.values())[:2]
    for node in nodes:
        node.kill("etcd")
    rest = list(lab.nodes.values())[2]
    yield seen(lambda: not rest.etcd_is_healthy(), f"no etcd on {nodes[0].name} and {nodes[1].name}, no majority for {rest.name}")
    for node in nodes:
        node.start_all()


@fault("cut-link", moves=True)
def cut_link(lab):
    """The primary's cable is pulled: nothing reaches it any more."""
    old = primary_of(lab)
    lab.hub.pull(old, "db")
    try:
        yield seen(lambda: not lab.hub.is_plugged(old, "db"), f"the cable of {old.name} is out")
    finally:
        lab.hub.push(old, "db")


@fault("cut-host", seconds=8)
def cut_host(lab):
    """The cable between one of the hosts that serve and the databases is pulled."""
    host = next(iter(lab.hosts.values()))
    lab.hub.pull(host, "db")
    try:
        yield seen(lambda: not lab.hub.is_plugged(host, "db"), f"the cable of {host.name} to the databases is out")
    finally:
        lab.hub.push(host, "db")


@fault("kill-host")
def kill_host(lab):
    """nginx and cruddurd of one host are killed, all processes at once."""
    host = list(lab.hosts.values())[-1]
    count = host.kill()
    yield seen(lambda: not host.pids(), f"all {count} processes on {host.name} killed")
    host.start_all()


@fault("slow-link", seconds=10)
def slow_link(lab):
    """The synchronous standby's cable delays and loses (netem), or where the kernel has no netem passes 2 Mbit/s (tbf)."""
    standby = eventually(lab.standby, SEEN, "a synchronous standby")
    device = f"{standby.name}-db"
    for words in SLOW:
        with contextlib.suppress(Exception):
            lab.hub.run("tc", "qdisc", "add", "dev", device, "root", *words)
            break
    else:
        raise Impossible("this kernel has neither netem nor tbf")
    try:
        yield seen(lambda: words[0] in lab.hub.run("tc", "qdisc", "show", "dev", device), f"{' '.join(words)} on the cable of {standby.name}")
    finally:
        lab.hub.run("tc", "qdisc", "del", "dev", device, "root")


@fault("disk-full", moves=True)
def disk_full(lab):
    """The primary's data folder is full, so that PostgreSQL ends when it needs its next file of WAL."""
    old = primary_of(lab)
    old.fill_disk()
    try:
        # PostgreSQL ends only when it needs a WAL file that does not exist yet, and a file has 16 MB.
        lab_wal(lab, old)
        yield f"{old.free_bytes()} bytes free on {old.name}"
    finally:
        old.empty_disk()
        take_back(lab, old)


def take_back(lab, node):
    """If Patroni cannot start the node, has it copy the primary anew, as an operator would: pg_rewind had no room when it was due."""
    end = time.monotonic() + COMES_BACK
    while lab.members().get(node.name, {}).get("state") not in ("running", "streaming"):
        if time.monotonic() > end:
            node.patroni("/reinitialize", {"force": True})
            return
        time.sleep(0.5)


def lab_wal(lab, node):
    """Makes the node need another WAL file, repeatedly, until it ends or is no leader any more."""
    end = time.monotonic() + SEEN
    while time.monotonic() < end and lab.leader() is node:
        try:
            lab.sql("select pg_switch_wal() from pg_logical_emit_message(false, 'fill', 'x')", address=node.address)
        except Exception:  # any error means that the node is ending
            return
        time.sleep(0.05)


@fault("clock-step", seconds=8)
def clock_step(lab):
    """The clock of the primary is set forward by an hour, and back again."""
    if not lab.options.get("clocks"):
        raise Impossible("the cluster was started without --clocks")
    node = primary_of(lab)
    node.set_clock(STEP_S)
    ahead = "select extract(epoch from clock_timestamp())"
    try:
        yield seen(lambda: float(lab.sql(ahead, address=node.address)[0][0]) > time.time() + STEP_S / 2, f"the clock of {node.name} is {STEP_S} s ahead")
    finally:
        node.set_clock(0)
