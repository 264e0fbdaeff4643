#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A file as C source, so that a program holds it and needs no file to run.

    embed.py FILE NAME HEADER OUTPUT

OUTPUT defines what HEADER declares: the bytes, NAME, and how many, NAME_size.  They are
numbers and no string, as C11 promises room for strings of 4095 bytes only.
"""
import sys
from pathlib import Path


def main(file, name, header, output):
    data = Path(file).read_bytes()
    lines = [', '.join(map(str, data[i:i + 20])) for i in range(0, len(data), 20)]
    Path(output).write_text(
        f'#include "{header}"\n\nconst unsigned char {name}[] = {{\n'
        + ''.join(f'    {line},\n' for line in lines)
        + f'}};\nconst size_t {name}_size = sizeof {name};\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
