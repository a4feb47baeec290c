# The workspace of .gitpod.yml: Debian 12, with the user that Gitpod expects.
FROM docker.io/library/debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl git procps strace sudo \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 33333 --user-group --groups sudo --create-home --home-dir /home/gitpod --shell /bin/bash gitpod \
    && printf '%%sudo ALL=(ALL) NOPASSWD:ALL\n' >/etc/sudoers.d/nopasswd
USER gitpod
