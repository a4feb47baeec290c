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
