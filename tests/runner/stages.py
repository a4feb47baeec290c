"""The stages, and the jobs that each is made of.

The jobs build/sanitized, build/bytecode, build/plain, build/unit, build/compiler, build/node, build/lighthouse, build/otlp and
build/servers make what the other jobs use, in folders below the run's own:

    src          the sources, with a configure script
    sanitized/   the daemon with ASan and UBSan                      for http
    plain/       src, build and root, laid out as bin/quickstart's   for cluster, scripts, unit and web
    bytecode/    the bytecode of the tests in Python                 for http
    compiler/    TypeScript's compiler, a package of tests/web       for lint
    node/        the packages of tests/web from npm                  for web
    lighthouse/  the packages of tests/web/lighthouse                for web
    otlp/        the packages of tests/otlp                          for web
    servers/     the packages of tests/postgresql                    for postgresql
    shared/      what the tests have in common (CHECK_SHARED)        for http and scripts
    log/         the output of each job
"""

import os
import pathlib
import re

import cases
from jobs import Job

PYTHON = "/usr/bin/python3"
HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
ALL = ("lint", "analyzer", "unit", "http", "scripts", "distcheck")
VERSIONS = ("15", "16", "17", "18")  # of PostgreSQL, with a server in tests/postgresql/package.json
ON_VERSIONS = {"postgresql": VERSIONS} | {f"postgresql-{version}": (version,) for version in VERSIONS}
ON_REQUEST = ("web", "valgrind", "package", "boot", "containers", "cluster", "fuzz", *ON_VERSIONS)
PROCESSORS = len(os.sched_getaffinity(0))
PYTEST_WORKERS = PROCESSORS * 2 + 1  # they wait for servers two thirds of the time
# Each pool has slots of its own, so that none of its jobs waits for those of another. Batch jobs only compute and no other job waits
# for them: they get the time of the processors that the others leave.
SLOTS = {"ordinary": PROCESSORS * 2, "pytest": PYTEST_WORKERS, "batch": PROCESSORS}

# PostgreSQL makes a thousand files for each database. So the tests make their folders in memory if this many bytes are free there.
IN_MEMORY = "/dev/shm"
FREE_MEMORY = 6 << 30

# The files that take longest begin first, so that the run ends with short ones, on all processors. Seconds on a quiet machine.
PYTEST_SECONDS = 250
WEB_SECONDS = 150
CLUSTER_SECONDS = 120
LONG_PYTEST = (
    "test_addresses.py", "test_plans.py", "test_events.py", "test_slow_statements.py", "test_sessions.py", "test_rest.py", "test_late.py",
    "test_database.py", "test_upgrade.py", "test_signals.py", "test_openapi.py", "test_outage.py", "test_refusals.py", "test_keys.py",
    "test_feed.py", "test_handed_over.py", "test_traces.py",
)  # fmt: skip
BATS_SECONDS = {
    "bench-faults.bats": 90, "migrations.bats": 60, "quickstart-places.bats": 60, "bench.bats": 50, "quickstart.bats": 50, "readme.bats": 45,
    "bench-tune.bats": 45, "check.bats": 40, "install.bats": 30, "environment.bats": 25, "lifecycle.bats": 25, "purge.bats": 25, "urls.bats": 25,
    "week-4.bats": 20, "schema.bats": 20, "nginx.bats": 20, "db-backup.bats": 20, "db-doctor.bats": 20, "production.bats": 20, "users.bats": 15, "learn.bats": 15,
}  # fmt: skip

# The files of pytest whose results do not depend on the version of PostgreSQL: the front of the service, its processes, tokens.
NO_DATABASE = {
    "test_accept.py", "test_body.py", "test_cors.py", "test_docs.py", "test_fairness.py", "test_fastcgi.py", "test_handed_over.py", "test_haproxy.py",
    "test_hostile_peer.py", "test_keys.py", "test_logs.py", "test_methods.py", "test_nginx_errors.py", "test_paths.py", "test_process.py",
    "test_refusals.py", "test_request_id.py", "test_sandbox.py", "test_scarcity.py", "test_signals.py", "test_site.py", "test_starts.py",
    "test_token.py", "test_traces.py", "test_upgrade.py",
}  # fmt: skip

# What --quick runs of these: every route through nginx and PostgreSQL, every script once.
SMOKE = {
    "http": ["test_openapi.py::test_successes", "test_openapi.py::test_the_routes_are_these"],
    "scripts": ["smoke.bats"],
}


def folder_for_tests():
    """A folder in memory if enough memory is free and programs may run from there, else /tmp."""
    try:
        volume = os.statvfs(IN_MEMORY)
        (available,) = re.findall(r"^MemAvailable: +(\d+) kB$", pathlib.Path("/proc/meminfo").read_text(), re.M)
    except (OSError, ValueError):
        return "/tmp"
    free = min(volume.f_bavail * volume.f_frsize, int(available) * 1024)
    return IN_MEMORY if free >= FREE_MEMORY and not volume.f_flag & os.ST_NOEXEC else "/tmp"


class Stages:
    """Makes the jobs of stages, all with their files below work."""

    def __init__(self, work):
        self.work = work
        self.source = work / "src"
        self.folder = folder_for_tests()

    def jobs_of(self, stage, arguments=None, is_quick=False):
        """The jobs of a stage. arguments: only these tests, in the form that the stage's method takes."""
        if stage in ON_VERSIONS:
            return self.postgresql(ON_VERSIONS[stage])
        make = getattr(self, stage)
        if stage in ("unit", "http", "scripts", "web", "cluster"):
            return make(arguments, is_quick)
        return make()

    def shell(self, stage, name, script, *arguments, **more):
        """A bash script that is one case."""
        command = ["bash", "-euo", "pipefail", "-c", script, name, *map(str, arguments)]
        return Job(stage, name, command, cases.Whole(name), more.pop("folder", TOP), **more)

    def build(self, stage, name, folder, *options, target="all", **more):
        script = 'mkdir -p "$1" && cd "$1" && "$2" --quiet "${@:4}" && make --jobs="$(nproc)" $3'
        source = more.pop("source", self.source / "configure")
        return self.shell(stage, name, script, folder, source, target, *options, tools=more.pop("tools", ("gcc",)), **more)

    # --- lint ---

    def lint(self):
        tools = {
            "shellcheck": (30, "shellcheck --external-sources $scripts", ("shellcheck",)),
            "shfmt": (1, "shfmt -i 2 -ci -bn -d $scripts", ("shfmt",)),
            "clang-format": (3, "clang-format --dry-run -Werror $(find bench src tests -name '*.[ch]')", ("clang-format",)),
            "cppcheck": (
                3,
                "cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --std=c11 --inline-suppr"
                " --suppress=missingIncludeSystem -j 2 -I src src",
                ("cppcheck",),
            ),
            "include direction": (1, "bash tests/lint/includes", ()),
            "published migrations": (1, "bash tests/lint/migrations", ()),
            "own includes": (1, f"{PYTHON} tests/lint/own_includes.py", ()),
            "names of functions": (1, f"{PYTHON} -B tests/lint/names.py", ()),
            "places that pages name": (1, f"{PYTHON} tests/lint/places.py", ()),
            "container files": (1, f"{PYTHON} tests/lint/containers.py", ()),
            "Python syntax": (1, f"{PYTHON} tests/lint/python_syntax.py $(find bench bin doc tests -name '*.py')", ()),
            "alert rules": (1, "promtool check rules infra/prometheus/alerts.yml", ("promtool",)),
            "alerts": (1, "promtool test rules tests/infra/alerts.yml", ("promtool",)),
            "CloudFormation template": (1, f"{PYTHON} tests/lint/cloudformation.py", ()),
            "Terraform": (1, f"{PYTHON} tests/lint/terraform.py infra/terraform tests/infra/terraform_arguments.json", ()),
            "Prometheus configuration": (
                1,
                "promtool check config infra/prometheus/prometheus.yml && promtool check config --syntax-only infra/containers/prometheus.yml",
                ("promtool",),
            ),
        }
        scripts = "scripts=$(find autogen.sh .ci bin infra/containers/prepare infra/containers/setup tests/lint tests/bin tests/containers/containers.bats tests/fuzz/run tests/fuzz/fuzz.bats tests/package tests/postgresql/lay-out tests/runner/bats_stream bench/*.sh bench/peers/kore/kore-bench -type f ! -name '*.py' ! -name '*.sql' ! -name '*.txt' ! -name '*.json' ! -name '.*')\n"
        jobs = [
            self.shell("lint", f"lint/{name}", scripts + command, seconds=seconds, tools=tools, pool="batch")
            for name, (seconds, command, tools) in tools.items()
        ]
        return [*jobs, self.openapi(), self.node("lint", "compiler", "tests/web", "--omit=dev", seconds=3), self.types()]

    def openapi(self):
        version = re.search(r"AC_INIT\(\[cruddur\], \[(.*)\]\)", (TOP / "configure.ac").read_text())[1]
        return self.shell(
            "lint", "lint/OpenAPI document", '"$@"', PYTHON, "tests/lint/openapi.py", "doc/openapi.yaml", version,
            seconds=2, modules=("jsonschema", "yaml"), files=("/usr/share/openapi-specification",), pool="batch",
        )  # fmt: skip

    def node(self, stage, name="node", source="tests/web", *options, seconds=10):
        """Installs the packages of a package-lock.json below the run's folder; options are npm's."""
        script = 'mkdir "$1" && cp "$2/package.json" "$2/package-lock.json" "$1" && cd "$1" && npm ci --no-audit --no-fund --ignore-scripts "${@:3}"'
        return self.shell(stage, f"build/{name}", script, self.work / name, source, *options, tools=("npm",), seconds=seconds, priority=2)

    def types(self):
        """Checks the types in the web client's comments."""
        compiler = self.work / "compiler/node_modules/.bin/tsc"
        return self.shell("lint", "lint/types of the web client", '"$@"', compiler, "--project", "tests/web", needs=("build/compiler",), tools=("node",), seconds=5, pool="batch")

    # --- C ---

    def analyzer(self):
        return [self.build("analyzer", "analyzer", self.work / "analyzer", "--enable-analyzer", "--enable-werror", "CFLAGS=-O1", seconds=60, pool="batch")]

    def plain(self, stage):
        """The ordinary build, once for all stages that use it."""
        folder = self.work / "plain"
        script = 'mkdir "$1" && cp -a --reflink=auto "$2" "$1/src" && mkdir "$1/build" && cd "$1/build"' \
                 ' && ../src/configure --quiet --prefix=/usr/local --enable-werror && make --jobs="$(nproc)"' \
                 ' && make --silent install DESTDIR="$1/root"'  # fmt: skip
        return self.shell(stage, "build/plain", script, folder, self.source, tools=("gcc",), seconds=20, priority=2)

    def unit(self, arguments, is_quick=False):
        """A job for each program of cmocka's. An argument is a program and, after a colon, a pattern of its tests' names."""
        build = self.work / "plain/build"
        programs = sorted(path.stem for path in (TOP / "tests/unit").glob("test_*.c"))
        build_tests = self.shell(
            "unit", "build/unit", 'cd "$1" && make --jobs="$(nproc)" check TESTS=', build, needs=("build/plain",), seconds=20, priority=1, pool="batch"
        )
        jobs = []
        for argument in arguments or programs:
            program, _, pattern = argument.partition(":")
            jobs.append(
                Job(
                    "unit", f"unit/{argument}", [str(build / "tests/unit" / program)], cases.Cmocka(), build,
                    needs=("build/unit",), environment={"CMOCKA_TEST_FILTER": pattern} if pattern else {},
                )
            )  # fmt: skip
        return [self.plain("unit"), build_tests, *jobs]

    def distcheck(self):
        """Unprivileged. Without optimisation and compression, because another job compiles the same sources with them."""
        script = """
            cp -a "$1" "$2" && cd "$2" # with the times: a configure that looks old is made again, where nothing may be written
            as=()
            if ((EUID == 0)); then
              chown -R nobody .
              as=(setpriv --reuid nobody --regid nogroup --clear-groups --)
            fi
            export HOME=$2 CFLAGS='-O0' XZ_OPT=-0
            "${as[@]}" ./configure --quiet
            exec "${as[@]}" make --jobs="$(nproc)" distcheck"""
        return [self.shell("distcheck", "distcheck", script, self.source, self.work / "dist", tools=("gcc",), seconds=100, pool="batch")]

    # --- http ---

    def bytecode(self, stage):
        """Makes the bytecode of the tests and of all that they import, whose assertions pytest rewrites, once for all workers. Errors in a file
        are reported by the run itself."""
        return self.shell(
            stage, "build/bytecode", '"$@" || true', PYTHON, "-m", "pytest", "-q", "-q", "--collect-only", folder=TOP / "tests/http",
            environment={"CRUDDURD": "none yet"} | self.shared_bytecode(), modules=("pytest",), seconds=5, priority=2,
        )  # fmt: skip

    def shared_bytecode(self):
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.work / "bytecode")}

    def pytest(self, stage, name, arguments, cruddurd, needs, **more):
        """A job of pytest. A worker takes whole files. With few files there is a worker for each, and each makes its own bytecode."""
        files = len({argument.partition("::")[0] for argument in arguments})
        workers = min(PYTEST_WORKERS, files)
        builds = [self.bytecode(stage)] if files > workers else []
        command = [PYTHON, "-m", "pytest", "-q", "-p", "pytest_events", "-n", str(workers), "--dist", "loadfile", *arguments]
        environment = {"CRUDDURD": str(cruddurd), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE)}
        environment |= {"CHECK_FOLDER": self.folder, "CHECK_SHARED": str(self.work / "shared")}
        run = Job(
            stage, name, command, cases.Pytest(), TOP / "tests/http", slots=workers, pool="pytest", needs=(*needs, *(job.name for job in builds)),
            environment=environment | (self.shared_bytecode() if builds else {}), modules=("pytest", "xdist"), **more,
        )  # fmt: skip
        return [*builds, run]

    def sanitized(self, stage):
        return self.build(stage, "build/sanitized", self.work / "sanitized", "--enable-sanitizers", "--enable-werror", "CFLAGS=-O1 -g", seconds=20, priority=3)

    def http(self, arguments, is_quick=False):
        build = self.sanitized("http")
        files = arguments or (SMOKE["http"] if is_quick else pytest_files())
        return [build, *self.pytest("http", "http", files, self.work / "sanitized/cruddurd", needs=("build/sanitized",), seconds=PYTEST_SECONDS)]

    def valgrind(self):
        """The cases are the processes of the daemon and of the Lambda function. Tests may fail because valgrind is slow; only valgrind's own
        findings count."""
        folder = self.work / "memcheck"
        wrap = """
            mkdir -m 777 "$1/reports"
            for program in 'cruddurd --sandbox off' cruddur-confirm; do
              name=${program%% *} more=${program#"$name"}
              mv "$name" "$name.real"
              printf '#!/bin/sh\\nexec valgrind --quiet --track-origins=no --leak-check=no --log-file=%s/%%p %s/%s.real "$@"%s\\n' \\
                "$1/reports" "$1" "$name" "$more" >"$name"
              chmod 755 "$name"
            done"""
        wrap_job = self.shell("valgrind", "build/wrapper", f'cd "$1"{wrap}', folder, needs=("build/memcheck",), tools=("valgrind",))
        build = self.build("valgrind", "build/memcheck", folder, "--enable-werror", "CFLAGS=-O1 -g", tools=("gcc", "valgrind"))
        run = self.pytest("valgrind", "valgrind", pytest_files(), folder / "cruddurd", needs=("build/wrapper",), finish=count_reports(folder / "reports"))
        return [build, wrap_job, *run]

    # --- the database part, on other versions of PostgreSQL ---

    def postgresql(self, versions):
        stage = "postgresql"
        servers = self.node(stage, "servers", "tests/postgresql", seconds=15)
        jobs = [self.sanitized(stage), self.plain(stage), self.bytecode(stage), servers]
        for version in versions:
            jobs += self.on_version(version)
        return jobs

    def on_version(self, version):
        """The tests on one version, a stage of its own in the report. Tests share clusters with those on the same version, ports with all."""
        stage = f"postgresql-{version}"
        package = self.work / "servers/node_modules" / stage
        shared = self.work / "shared" / version
        ready = self.shell(
            stage, f"{stage}/server", 'mkdir "$2" && ln -s ../ports "$2" && tests/postgresql/lay-out "$1"', package, shared,
            needs=("build/servers",), tools=("node",), priority=1,
        )  # fmt: skip
        tests = [
            *self.pytest(stage, f"{stage}/http", database_files(), self.work / "sanitized/cruddurd", needs=("build/sanitized",), seconds=PYTEST_SECONDS),
            *self.bats(stage, [path.name for path in (TOP / "tests/bin").glob("*.bats") if starts_cluster(path)]),
        ]
        for job in tests:
            job.environment |= {"PGBIN": str(package / "native/bin"), "CHECK_SHARED": str(shared)}
            job.needs += (ready.name,)
        return [ready, *tests]

    def package(self):
        tools = ("debootstrap", "dpkg-buildpackage", "lintian", "nsenter", "psql")
        return [self.whole_bats("package", "tests/package/package.bats", 900, tools, modules=("jsonschema", "psycopg2", "pytest"))]

    def boot(self):
        return [self.whole_bats("boot", "tests/package/boot.bats", 500, ("debootstrap", "dpkg-buildpackage", "nsenter", "qemu-system-x86_64"))]

    def containers(self):
        tools = ("buildah", "debootstrap", "docker-compose", "ip", "npm")
        return [self.whole_bats("containers", "tests/containers/containers.bats", 400, tools, modules=("jsonschema", "yaml"))]

    def fuzz(self):
        tools = ("clang", "llvm-cov-14", "llvm-profdata-14", "pkg-config")
        return [self.whole_bats("fuzz", "tests/fuzz/fuzz.bats", 90, tools)]

    def whole_bats(self, stage, file, seconds, tools, **more):
        """A stage that is one file of bats', which builds what it needs."""
        command = ["bats", "--timing", "--print-output-on-failure", "--formatter", str(HERE / "bats_stream"), file]
        return Job(stage, stage, command, cases.Bats(), TOP, tools=("bats", *tools), seconds=seconds, **more)

    def cluster(self, arguments, is_quick=False):
        """One process, as root, because the tests share a cluster."""
        command = [PYTHON, "-m", "pytest", "-q", "-p", "pytest_events", *(arguments or ())]
        environment = {"CHECK_BUILD": str(self.work / "plain"), "CHECK_FOLDER": self.folder, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE)}
        run = Job(
            "cluster", "cluster", command, cases.Pytest(), TOP / "tests/cluster", needs=("build/plain",), environment=environment, pool="pytest",
            tools=("etcd", "patroni", "nft", "nsenter"), modules=("pytest", "psycopg2", "cryptography"), seconds=CLUSTER_SECONDS,
        )  # fmt: skip
        return [self.plain("cluster"), run]

    # --- web ---

    def web(self, arguments, is_quick=False):
        """One process, because the tests share a quickstart and a browser. Lighthouse is large, and has packages of its own."""
        lighthouse = [] if arguments and not any("lighthouse" in argument for argument in arguments) else [self.lighthouse()]
        command = [PYTHON, "-m", "pytest", "-q", "-p", "pytest_events", *(arguments or ())]
        environment = {
            "CHECK_BUILD": str(self.work / "plain/build"), "CHECK_FOLDER": self.folder, "NODE_MODULES": str(self.work / "node/node_modules"),
            "LIGHTHOUSE": str(self.work / "lighthouse/node_modules/lighthouse/cli/index.js"), "OTLP_MODULES": str(self.work / "otlp/node_modules"),
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE),
        }  # fmt: skip
        run = Job(
            "web", "web", command, cases.Pytest(), TOP / "tests/web", needs=("build/plain", "build/node", "build/otlp", *(job.name for job in lighthouse)), environment=environment,
            tools=("chromium", "chromedriver", "node"), modules=("pytest", "selenium"), seconds=WEB_SECONDS,
        )  # fmt: skip
        return [self.plain("web"), self.node("web"), self.node("web", "otlp", "tests/otlp"), *lighthouse, run]

    def lighthouse(self):
        return self.node("web", "lighthouse", "tests/web/lighthouse", seconds=30)

    # --- scripts ---

    def scripts(self, arguments, is_quick=False):
        """A job for each file of bats. An argument is a file and, after a colon, a regular expression of its tests' names."""
        files = sorted(path.name for path in (TOP / "tests/bin").glob("*.bats"))
        return [self.plain("scripts"), *self.bats("scripts", arguments or (SMOKE["scripts"] if is_quick else files))]

    def bats(self, stage, arguments):
        """A job for each argument."""
        environment = {"CHECK_SHARED": str(self.work / "shared"), "CHECK_BUILD": str(self.work / "plain/build"), "CHECK_FOLDER": self.folder}
        jobs = []
        for argument in arguments:
            file, _, pattern = argument.partition(":")
            command = ["bats", "--timing", "--print-output-on-failure", "--formatter", str(HERE / "bats_stream")]
            command += ["--filter", pattern] if pattern else []
            jobs.append(
                Job(
                    stage, f"{stage}/{argument}", [*command, f"tests/bin/{file}"], cases.Bats(), TOP, tools=("bats",),
                    needs=("build/plain",), environment=dict(environment), seconds=BATS_SECONDS.get(file, 10),
                )
            )  # fmt: skip
        return jobs


def pytest_files():
    """All files of pytest, the long ones first."""
    files = {path.name for path in (TOP / "tests/http").glob("test_*.py")}
    return [*(name for name in LONG_PYTEST if name in files), *sorted(files - set(LONG_PYTEST))]


def database_files():
    return [name for name in pytest_files() if name not in NO_DATABASE]


def starts_cluster(path):
    return re.search(r"\b(cluster_start|start_databases)\b", path.read_text()) is not None


def count_reports(folder):
    """Replaces the cases of pytest by one for each process that valgrind has watched: failed if it has a report."""

    def finish(job):
        job.reader.ended.clear()
        job.process.returncode = 0
        for report in sorted(folder.iterdir()):
            text = report.read_text(errors="replace")
            job.reader.end(f"process {report.name}", "failed" if text else "passed", 0)
            job.log.write(text.encode())
        job.reader.planned = len(job.reader.ended) or 1

    return finish
