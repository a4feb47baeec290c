#!/usr/bin/python3
"""Writes the software bill of materials of a build, SPDX 2.3 as JSON: sbom.py --name cruddur --version 1.0 --source . PROGRAM… >cruddur.spdx.json

It has the package itself, the libraries that the programs are linked to, with the versions of the Debian packages that they are from,
and what is vendored in web/vendor, whose files have to be those of its SHA256SUMS. The time is SOURCE_DATE_EPOCH if that is set, so
that the same build gives the same bytes."""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

NOTHING_SAID = "NOASSERTION"
HOME = "https://github.com/leeoniya/uPlot"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--source", required=True, type=pathlib.Path, help="the folder with web/vendor")
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    return parser.parse_args()


def lines_of(*command):
    """What the command prints, also when it fails for a part of its arguments; nothing when there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}).stdout.splitlines()
    except OSError:
        return []


def identifier(name):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def package(name, version, **more):
    given = {"name": name, "SPDXID": identifier(f"Package-{name}"), "versionInfo": version, "downloadLocation": NOTHING_SAID}
    usual = {"filesAnalyzed": False, "licenseConcluded": NOTHING_SAID, "licenseDeclared": NOTHING_SAID, "copyrightText": NOTHING_SAID}
    return {field: value for field, value in (given | usual | more).items() if value is not None}


def libraries(program):
    """{soname: path} of those that the program itself names; the path is None where the linker finds none."""
    paths = dict(re.findall(r"^\s*(\S+) => (/\S+)", "\n".join(lines_of("ldd", program)), re.M))
    named = re.findall(r"^\s*NEEDED\s+(\S+)$", "\n".join(lines_of("objdump", "--private-headers", program)), re.M)
    if not named:
        sys.exit(f"sbom: {program} is no program that objdump reads, or is linked to nothing")
    return {soname: paths.get(soname) for soname in named}


def candidates(path):
    """The names under which dpkg may know the file: with /usr merged, its packages may have it in /lib."""
    real = os.path.realpath(path)
    return path, real, real.removeprefix("/usr")


def debian_packages(paths):
    """{path: (name, version, architecture, maintainer)} of the packages that the files are from, without files that dpkg does not know.
    One search has all of them, as each search reads the lists of all packages."""
    owners = {}
    for line in lines_of("dpkg-query", "--search", *dict.fromkeys(name for path in paths for name in candidates(path))):
        owner, _, file = line.rpartition(": ")
        owners[file] = owner
    form = "${binary:Package} ${Package} ${Version} ${Architecture} ${Maintainer}\n"
    told = dict(line.split(" ", 1) for line in lines_of("dpkg-query", "--show", "--showformat", form, *dict.fromkeys(owners.values())))
    found = {path: [told[owners[name]] for name in candidates(path) if owners.get(name) in told] for path in paths}
    return {path: lines[0].split(" ", 3) for path, lines in found.items() if lines}


def dependencies(programs):
    """A package for each library, several of one Debian package as one."""
    found = {}
    paths = {soname: path for program in programs for soname, path in libraries(program).items()}
    packages = debian_packages([path for path in paths.values() if path])
    for soname, path in sorted(paths.items()):
        debian = packages.get(path)
        if debian is None:
            found[soname] = package(soname, None, comment="No package of Debian has it.")
            continue
        name, version, architecture, maintainer = debian
        supplier = "Organization: " + re.sub(r"<(.*)>", r"(\1)", maintainer)
        reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
        reference["referenceLocator"] = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={architecture}"
        found[name] = package(name, version, supplier=supplier, externalRefs=[reference])
    return [found[name] for name in sorted(found)]


def checksum(algorithm, data):
    return {"algorithm": algorithm, "checksumValue": hashlib.new(algorithm.lower(), data).hexdigest()}


def vendored(source):
    """The package and the files of web/vendor."""
    folder = source / "web/vendor"
    files = []
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split()
        data = (folder / name).read_bytes()
        checksums = [checksum("SHA1", data), checksum("SHA256", data)]
        if checksums[1]["checksumValue"] != expected:
            sys.exit(f"sbom: web/vendor/{name} is not the file of SHA256SUMS")
        files.append({
            "fileName": f"./web/vendor/{name}",
            "SPDXID": identifier(f"File-{name}"),
            "checksums": checksums,
            "licenseConcluded": "MIT",
            "copyrightText": NOTHING_SAID,
        })  # fmt: skip
    sums = sorted(file["checksums"][0]["checksumValue"] for file in files)
    version = re.search(r"\(v([0-9.]+)\)", (folder / "uPlot.iife.min.js").read_text())[1]
    copyright_text = re.search(r"^Copyright .*$", (folder / "uPlot-LICENSE.txt").read_text(), re.M)[0]
    whole = package(
        "uPlot",
        version,
        downloadLocation=f"git+{HOME}.git@{version}",
        homepage=HOME,
        filesAnalyzed=True,
        packageVerificationCode={"packageVerificationCodeValue": hashlib.sha1("".join(sums).encode()).hexdigest()},
        licenseConcluded="MIT",
        licenseDeclared="MIT",
        licenseInfoFromFiles=["MIT"],
        copyrightText=copyright_text,
        externalRefs=[{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:npm/uplot@{version}"}],
    )
    return whole, files


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def document(given):
    own = package(given.name, given.version, licenseConcluded="MIT", licenseDeclared="MIT", copyrightText="Copyright (c) 2026 Cruddur in C contributors")
    linked = dependencies(given.programs)
    plotter, files = vendored(given.source)
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.datetime.now(datetime.timezone.utc).timestamp())
    written = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{given.name}-{given.version}",
        "creationInfo": {
            "created": datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Organization: Cruddur in C contributors", f"Tool: {given.name}-sbom-{given.version}"],
        },
        "packages": [own, *linked, plotter],
        "files": files,
        "relationships": [
            relation("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"]),
            *(relation(own["SPDXID"], "DYNAMIC_LINK", each["SPDXID"]) for each in linked),
            relation(own["SPDXID"], "CONTAINS", plotter["SPDXID"]),
            *(relation(plotter["SPDXID"], "CONTAINS", file["SPDXID"]) for file in files),
        ],
    }
    # Each document has a namespace of its own, and the same document the same one.
    digest = hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()
    return written | {"documentNamespace": f"https://cruddur.example/spdx/{given.name}-{given.version}-{digest}"}


if __name__ == "__main__":
    json.dump(document(arguments()), sys.stdout, indent=2, ensure_ascii=False)
    print()
