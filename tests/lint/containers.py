"""containers.py: Containerfile, compose.yaml and the files for workspaces follow the usual rules for such files.

It checks those of hadolint's rules that apply here, named by their numbers, and of compose.yaml that each service of this project runs
without rights, that ports are open on this machine only, that no password is in the environment, and that what is mounted exists.
Prints each offence."""

import json
import pathlib
import re
import sys

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
OWN = ("setup", "cruddurd", "issuer", "web")  # services whose image is made here
ENDS = ("setup",)  # services that end when their work is done


def instructions(path):
    """(number of its first line, word, text) of each instruction, with its lines joined."""
    number, text = 0, ""
    for line_number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        number = number if text else line_number
        text += line.rstrip("\\") + " "
        if not line.endswith("\\"):
            word, _, rest = text.strip().partition(" ")
            yield number, word, rest.strip()
            text = ""


def stages_of(path):
    """{name: its instructions}; those before the first FROM are in the first stage, too."""
    stages, before, name = {}, [], None
    for instruction in instructions(path):
        if instruction[1] == "FROM":
            name = instruction[2].partition(" AS ")[2] or "only"
            stages[name] = [*before, instruction]
        else:
            stages.get(name, before).append(instruction)
    return stages


def offences_of_run(text, has_pipefail):
    if re.search(r"\bapt-get .*\binstall\b", text):
        if not re.search(r"--yes\b|-y\b", text):
            yield "DL3014: apt-get without --yes"
        if "--no-install-recommends" not in text:
            yield "DL3015: apt-get without --no-install-recommends"
        if "rm -rf /var/lib/apt/lists/*" not in text:
            yield "DL3009: apt's lists stay in the image"
        if "apt-get update" not in text:
            yield "DL3009: apt-get install without an update in the same layer"
    if re.search(r"(^|[;&|] *)(sudo|apt|cd|wget) ", text):
        yield "DL3004, DL3027, DL3003: sudo, apt, cd or wget"
    if re.search(r"[^|]\|[^|]", text) and not has_pipefail:
        yield "DL4006: a pipe without pipefail"


def offences_of_instruction(word, text, stage):
    seen = {name for _, name, _ in stage}
    has_pipefail = any(name == "SHELL" and "pipefail" in value for _, name, value in stage)
    if word == "FROM" and not re.match(r"(\$\{BASE\}|\S+:\S+)( AS \S+)?$", text) or text.endswith(":latest"):
        yield "DL3006, DL3007: no tag, or latest"
    elif word == "ARG" and text.startswith("BASE=") and not re.search(r":[a-z0-9.-]+$", text):
        yield "DL3006: the base has no tag"
    elif word == "ADD":
        yield "DL3020: COPY instead of ADD"
    elif word in ("CMD", "ENTRYPOINT") and not text.startswith("["):
        yield "DL3025: CMD as a list"
    elif word == "WORKDIR" and not text.startswith("/"):
        yield "DL3000: WORKDIR is not absolute"
    elif word == "COPY" and not text.split()[-1].startswith("/") and "WORKDIR" not in seen:
        yield "DL3045: COPY to a relative path without WORKDIR"
    elif word == "COPY" and not text.startswith("--from="):
        yield from (f"there is no {name}" for name in text.split()[:-1] if not (TOP / name).exists())
    elif word == "RUN":
        yield from offences_of_run(text, has_pipefail)


def offences_of_containerfile(path):
    for name, stage in stages_of(path).items():
        for number, word, text in stage:
            yield from (f"{number}: {offence}" for offence in offences_of_instruction(word, text, stage))
        if name in ("build", "only"):
            continue
        users = [text for _, word, text in stage if word == "USER"]
        if not users or not re.match(r"[1-9]\d*:[1-9]\d*$", users[-1]):
            yield f"{stage[-1][0]}: DL3002: {name} does not end as a user without rights, by its number"
        if not any(word == "HEALTHCHECK" for _, word, _ in stage):
            yield f"{stage[-1][0]}: DL3055: {name} has no HEALTHCHECK"


def offences_of_service(name, service):
    if not re.search(r":[a-z0-9.-]+$", service["image"]) and "build" not in service or service["image"].endswith(":latest"):
        yield "its image has no tag, or latest"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "it may gain privileges"
    if any(service.get(key) for key in ("privileged", "network_mode", "pid", "cap_add")) and name != "db":
        yield "it has more rights than a container"
    yield from (f"port {port} is open to others" for port in service.get("ports", ()) if not port.startswith("127.0.0.1:"))
    for key, value in (service.get("environment") or {}).items():
        if re.search("PASSWORD|SECRET|TOKEN|_URL$", key.removesuffix("__FILE").removesuffix("_FILE")) and not key.endswith("_FILE") and value:
            yield f"{key} is in its environment"
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        if source.startswith("./") and not source.startswith("./secrets/") and not (TOP / source).exists():
            yield f"there is no {source}"
    if name not in OWN:
        return
    if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or "CRUDDUR_UID" not in service.get("user", ""):
        yield "it is not read_only, has capabilities, or is root"
    if name not in ENDS and "healthcheck" not in service:
        yield "it has no healthcheck"


def offences_of_compose(path):
    compose = yaml.safe_load(path.read_text())
    services = compose["services"]
    used = {secret for service in services.values() for secret in service.get("secrets", ())}
    for name, service in services.items():
        yield from (f"{name}: {offence}" for offence in offences_of_service(name, service))
    for kind, names in {"secrets": used, "volumes": volumes_of(services), "networks": networks_of(services)}.items():
        yield from (f"{kind} differ from what is used: {name}" for name in sorted(names ^ set(compose[kind])))


def volumes_of(services):
    sources = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    return {source for source in sources if not source.startswith(".")}


def networks_of(services):
    return {network for service in services.values() for network in service["networks"]}


def main():
    json.loads((TOP / ".devcontainer/devcontainer.json").read_text())
    yaml.safe_load((TOP / ".gitpod.yml").read_text())
    found = [f"{name}:{text}" for name in ("Containerfile", ".gitpod.Dockerfile") for text in offences_of_containerfile(TOP / name)]
    found += [f"compose.yaml: {text}" for text in offences_of_compose(TOP / "compose.yaml")]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
