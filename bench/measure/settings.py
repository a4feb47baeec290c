"""The constants of the bench: requests, subjects, numbers of connections, times."""

# The page of home that all subjects serve: cruddurd from its cache and (action "home") from the database, the peers from
# the database, nginx as a file.
HOME_PATH = "/api/activities/home?limit=20"
CONSTANT_PATH = "/api/health-check"
DEEP_LIMIT = 20
SEARCH_PATH = "/api/activities/search?term=coffee&limit=20"

ACTIONS = ("constant", "kept", "home", "show", "create")
REQUEST_LINES = 10000  # different activities that are requested, and different creates

# Numbers of connections by action: of all subjects, and further ones of cruddurd. --quick leaves out some of cruddurd's.
CONNECTIONS = {"constant": (32,), "kept": (32,), "home": (32,), "show": (32, 64), "create": (8, 64)}
CONNECTIONS_OF_CRUDDURD = (1, 8, 32, 64)
CONNECTIONS_OF_CRUDDURD_QUICK = (64,)

CREATE_BACKENDS = 8  # of pgbench
PAUSE_SECONDS = 0.1  # between two runs
WARM_UP_SECONDS = 0.3
SETTLE_SECONDS = 20  # maximum until all processes that were started are idle
SETTLED_SHARE = 0.05

FAIRNESS_CONNECTIONS = (4, 32, 64)
FAIRNESS_SECONDS = 1.0

WRITES_PER_SECOND = (10, 100)  # beside a cached home
FRESHNESS_WRITERS = 4

# Fixed rates, requests per second and connections: about that share of the maximum of the slower of both that are compared.
STEADY = {
    "a third": (("constant", 1500, 16), ("show", 1000, 16), ("page", 300, 16), ("create", 400, 16)),
    "two thirds": (("constant", 3000, 16), ("show", 2000, 16), ("page", 600, 16), ("create", 800, 16)),
}
STEADY_SECONDS = 5

# The actions and numbers of connections of bin/bench --tune, for each group's variants. A few hundred connections more than
# nginx keeps open show the effect of the accept queue.
TUNING = {
    "workers": {"constant": (64,), "kept": (64,), "show": (8, 64), "create": (8, 64)},
    "nginx": {"constant": (64, 400), "show": (64, 400)},
    "commit": {"create": (1, 8, 64)},
}

# The share of each action in ten requests, while memory is measured.
MEMORY_MIX = (("constant", 3), ("home", 2), ("show", 4), ("create", 1))
MEMORY_CONNECTIONS = 64
GIVE_BACK_SECONDS = 1.5  # after which workers have freed memory that they do not need
FULL_REQUESTS = 10_000_000
COLD_STARTS = 5

# The rounds of each fault, in a full bench and with --quick.
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
CALM_PER_SECOND = 200  # requests to the calm pool, which has no fault
LOOK_SECONDS = 0.1  # for measuring the machine's load before each round
BUSY_SHARE = 0.15  # more than the load of the calm pool and its client
LOAD_SECONDS = 0.5  # of requests before a fault
OUTAGE_SECONDS = 8
OUTAGE_SECONDS_QUICK = 3.6  # more than the longest answer may take
RETURN_SECONDS = 0.8  # of requests after PostgreSQL's start, more than the first success may take
AFTER_SECONDS = 1.5  # of requests after it, more than the service may take to be normal again
AFTER_CUT_SECONDS = 4.5  # longer, because TCP retransmits only after a while
NORMAL_SECONDS = 0.7  # without a refused or late answer, after which the service counts as normal
LATE_MS = 500
DRAIN_MS = 500
ARRIVAL_SECONDS = 0.1  # until a worker has read the bytes that were sent
ELSEWHERE_WRITES = 20
ELSEWHERE_TIMES = 3  # consecutive reads in which all readers must have it
PEAK_CONNECTIONS = 64
OVERLOAD_BACKLOG = 16
OVERLOAD_CONNECTIONS = 400
OVERLOAD_SECONDS = 1  # or more, until there are enough refusals
OVERLOAD_LONGEST = 10
REFUSALS_LEAST = 100  # with fewer there is no p99
SLOW_SECONDS = 2
ATTACK_SECONDS = 10  # the p99 of 500 creates; with fewer it would be a single create's time
ATTACK_SECONDS_QUICK = 1
ATTACK_CONNECTIONS = 8
ATTACK_REPLIES = 10_000  # as many as an activity may have
ATTACK_REPLIES_QUICK = 500
ATTACK_FOLLOWS = 5000  # as many as a user may have
ATTACK_FOLLOWS_QUICK = 500
ATTACK_SLOW = 900
STREAMS = 5000
STREAM_WORKERS = 2
STREAM_WRITES = 5
STREAM_SECONDS = 2  # of requests for home beside the streams; with --quick the length of any run
STREAM_PATIENCE_SECONDS = 20
