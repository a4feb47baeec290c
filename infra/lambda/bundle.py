"""bundle.py: the zip of the Lambda function: the program, the libraries that it is linked to and their loader, the SQL templates and
the certificate authorities. The same input makes the same bytes.

The program names its loader and its libraries below /var/task, where Lambda unpacks the zip, so nothing of Lambda's system is used."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

SQL = ("hooks/confirm.sql", "metrics/step.sql", "session/begin.sql", "session/committed.sql", "session/introduce.sql", "session/room.sql", "session/schema.sql", "session/server.sql", "session/snapshot.sql")
SIZE_MAX = 10_000_000  # bytes
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can store
# glibc loads it when a thread ends early.
LOADED_LATER = ("libgcc_s.so.1",)


class Tools:
    def __init__(self, compiler, objdump, strip):
        self.compiler, self.objdump, self.strip = compiler.split(), objdump, strip

    def needed(self, file):
        """The names of the libraries that a file is linked to."""
        text = subprocess.run([self.objdump, "-p", file], check=True, capture_output=True, text=True).stdout
        return re.findall(r"^ +NEEDED +(\S+)$", text, re.MULTILINE)

    def find(self, name):
        """Where the compiler finds a library."""
        path = subprocess.run([*self.compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        if path == name:
            sys.exit(f"bundle: {name} is not to be found")
        return pathlib.Path(path).resolve()

    def stripped(self, file):
        with tempfile.NamedTemporaryFile() as copy:
            subprocess.run([self.strip, "-o", copy.name, file], check=True)
            return pathlib.Path(copy.name).read_bytes()


def libraries_of(program, tools):
    """name -> path of all libraries that the program needs, and those that these need."""
    found, waiting = {}, [*tools.needed(program), *LOADED_LATER]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = tools.find(name)
            waiting += tools.needed(found[name])
    return found


def write(path, files):
    """files: name -> (mode, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
        for name in sorted(files):
            mode, data = files[name]
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system = 3  # Unix
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, data, compresslevel=9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("--source", required=True, help="the folder that has sql/")
    parser.add_argument("--compiler", default="cc", help="the one that linked the program")
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("--strip", default="strip")
    parser.add_argument("--public-ca", help="authorities of AWS's own certificates")
    parser.add_argument("--database-ca", help="authorities of the database's certificate")
    parser.add_argument("program")
    arguments = parser.parse_args()
    tools = Tools(arguments.compiler, arguments.objdump, arguments.strip)
    output = pathlib.Path(arguments.output)
    files = {"bootstrap": (0o755, tools.stripped(arguments.program))}
    for name, path in libraries_of(arguments.program, tools).items():
        files[f"lib/{name}"] = (0o755, path.read_bytes())
    for name in SQL:
        files[f"sql/{name}"] = (0o644, pathlib.Path(arguments.source, "sql", name).read_bytes())
    for name, path in (("public", arguments.public_ca), ("database", arguments.database_ca)):
        if path:
            files[f"ca/{name}.pem"] = (0o644, pathlib.Path(path).read_bytes())
    write(output, files)
    size = output.stat().st_size
    if size > SIZE_MAX:
        output.unlink()  # else make would take it for complete
        sys.exit(f"bundle: {output} would have {size} bytes, more than {SIZE_MAX}")
    print(f"{output}: {size} bytes, {len(files)} files")


main()
