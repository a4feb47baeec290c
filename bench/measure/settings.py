"""What is asked, of whom, with how many connections: the bench's figures, each in one place."""

# The page of home that everyone serves: cruddurd from its kept copy and (action "home") from the database, the peers from
# the database, nginx as a file.
HOME_PATH = "/api/activities/home?limit=20"
CONSTANT_PATH = "/api/health-check"
DEEP_LIMIT = 20
SEARCH_PATH = "/api/activities/search?term=coffee&limit=20"

ACTIONS = ("constant", "kept", "home", "show", "create")
REQUEST_LINES = 10000  # different activities asked for; different creates

# Connections by action: of everyone, and of cruddurd besides. --quick leaves out some of cruddurd's.
CONNECTIONS = {"constant": (32,), "kept": (32,), "home": (32,), "show": (32, 64), "create": (8, 64)}
CONNECTIONS_OF_CRUDDURD = (1, 8, 32, 64)
CONNECTIONS_OF_CRUDDURD_QUICK = (64,)

CREATE_BACKENDS = 8  # of pgbench
PAUSE_SECONDS = 0.1  # between two runs
WARM_UP_SECONDS = 0.3
SETTLE_SECONDS = 20  # at most, until all that was started has nothing to do
SETTLED_SHARE = 0.05

FAIRNESS_CONNECTIONS = (4, 32, 64)
FAIRNESS_SECONDS = 1.0

WRITES_PER_SECOND = (10, 100)  # beside a kept home
FRESHNESS_WRITERS = 4

# Fixed rates, requests per second and connections: of all that the slower of both compared can do, about so much.
STEADY = {
    "a third": (("constant", 1500, 16), ("show", 1000, 16), ("page", 300, 16), ("create", 400, 16)),
    "two thirds": (("constant", 3000, 16), ("show", 2000, 16), ("page", 600, 16), ("create", 800, 16)),
}
STEADY_SECONDS = 5

# What bin/bench --tune asks of each group's variants, with so many connections; a few hundred more than the connections
# that nginx keeps show what the listening queue is for.
TUNING = {
    "workers": {"constant": (64,), "kept": (64,), "show": (8, 64), "create": (8, 64)},
    "nginx": {"constant": (64, 400), "show": (64, 400)},
    "commit": {"create": (1, 8, 64)},
}

# Of ten requests while memory is watched.
MEMORY_MIX = (("constant", 3), ("home", 2), ("show", 4), ("create", 1))
MEMORY_CONNECTIONS = 64
GIVE_BACK_SECONDS = 1.5  # after which workers have given back what they don't need
FULL_REQUESTS = 10_000_000
COLD_STARTS = 5

# What cruddurd promises when something fails: rounds of each, of a full bench and with --quick.
FAULT_ROUNDS = {
    "worker_killed": (9, 3),
    "worker_stuck": (5, 1),
    "master_killed": (5, 1),
    "quit_at_once": (5, 1),
    "term_under_load": (5, 1),
    "term_beside_half_a_request": (3, 1),
    "down_at_start": (5, 1),
    "restart_under_load": (5, 1),
    "postgresql_frozen": (3, 1),
    "postgresql_killed": (3, 1),
    "cable_cut": (3, 1),
    "write_elsewhere": (5, 1),
    "overload": (5, 1),
    "slow_clients": (5, 1),
    "unknown_key": (3, 1),
    "long_threads": (3, 1),
    "many_follows": (3, 1),
    "slow_crowd": (3, 1),
    "streams": (3, 1),
}
CALM_PER_SECOND = 200  # of the calm pool, which nothing happens to
LOOK_SECONDS = 0.1  # at how busy the machine is, before each round
BUSY_SHARE = 0.15  # more than the calm pool and its client are
LOAD_SECONDS = 0.5  # of requests before something happens
OUTAGE_SECONDS = 8
OUTAGE_SECONDS_QUICK = 3.6  # more than the longest answer may take
RETURN_SECONDS = 0.8  # of requests after PostgreSQL's start, more than the first success may take
AFTER_SECONDS = 1.5  # of requests after it, more than it may take to be as before
AFTER_CUT_SECONDS = 4.5  # TCP tries again after a while only
NORMAL_SECONDS = 0.7  # without an answer that is refused or late: it is as before
LATE_MS = 500
DRAIN_MS = 500
ARRIVAL_SECONDS = 0.1  # until a worker has read what was sent
ELSEWHERE_WRITES = 20
ELSEWHERE_TIMES = 3  # in a row that all readers have to have it
PEAK_CONNECTIONS = 64
OVERLOAD_BACKLOG = 16
OVERLOAD_CONNECTIONS = 400
OVERLOAD_SECONDS = 1  # or more, until there are refusals enough
OVERLOAD_LONGEST = 10
REFUSALS_LEAST = 100  # fewer have no p99
SLOW_SECONDS = 2
ATTACK_SECONDS = 10  # the p99 of 500 creates; of fewer it would be a single one
ATTACK_SECONDS_QUICK = 1
ATTACK_CONNECTIONS = 8
ATTACK_REPLIES = 10_000  # as many as an activity may have
ATTACK_REPLIES_QUICK = 500
ATTACK_FOLLOWS = 5000  # as many as one may have
ATTACK_FOLLOWS_QUICK = 500
ATTACK_SLOW = 900
STREAMS = 5000
STREAM_WORKERS = 2
STREAM_WRITES = 5
STREAM_SECONDS = 2  # of requests for home beside them; with --quick as long as any run
STREAM_PATIENCE_SECONDS = 20
