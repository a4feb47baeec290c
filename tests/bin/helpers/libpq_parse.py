"""libpq_parse.py [--of] STRING…: what libpq itself reads from each connection string, a line for each parameter: string, tab, name=value.

With --of each string comes behind another one, which is printed in its place.

Of one without parameters the string and the tab, of one that libpq refuses the word "refused" behind them."""

import ctypes
import os
import sys


class Option(ctypes.Structure):
    _fields_ = [
        ("keyword", ctypes.c_char_p),
        ("envvar", ctypes.c_char_p),
        ("compiled", ctypes.c_char_p),
        ("val", ctypes.c_char_p),
        ("label", ctypes.c_char_p),
        ("dispchar", ctypes.c_char_p),
        ("dispsize", ctypes.c_int),
    ]


def parameters(options):
    for option in options:
        if option.keyword is None:
            return
        if option.val is not None:
            yield option.keyword + b"=" + option.val


def main():
    parse = ctypes.CDLL("libpq.so.5").PQconninfoParse
    parse.restype = ctypes.POINTER(Option)
    given = list(map(os.fsencode, sys.argv[1:]))
    pairs = zip(given[1::2], given[2::2], strict=True) if given[:1] == [b"--of"] else zip(given, given)
    for name, text in pairs:
        options = parse(text, None)
        found = list(parameters(options)) or [b""] if options else [b"refused"]
        sys.stdout.buffer.writelines(name + b"\t" + line + b"\n" for line in found)


main()
