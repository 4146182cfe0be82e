#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the words that some sources know, as C strings: words.py FILE…

With --dict they are a dictionary of libFuzzer. Operators, attributes and their values stand as
literals in the operators' files; what has a space or a format in it is a sentence.
"""
import pathlib
import re
import sys

LITERAL = re.compile(r'"([A-Za-z][A-Za-z0-9_.]{1,40})"')


def words(paths):
    for path in paths:
        for line in pathlib.Path(path).read_text().splitlines():
            if not line.startswith('#include'):
                yield from LITERAL.findall(line)


def main():
    for word in sorted(set(words(p for p in sys.argv[1:] if p.endswith('.c')))):
        print(f'"{word}"' if '--dict' in sys.argv else f'"{word}",')


if __name__ == '__main__':
    main()
