#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the benchmarks and say which goals are met.

Everything is written to build/bench/report, or with --publish to docs/benchmarks:
figures.json, and the page of the documentation with its plots.

The exit status is 0 if all goals are met, 1 if one is missed, and 2 if something could
not be run.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys

import machine
import page
from benchmarks import BENCHMARKS
from tools import BenchmarkError, Tools

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"run bench: {message}\n")


def parse_arguments():
    parser = Parser(
        prog="./run bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"run only these, of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true",
                        help="fewer rounds and contenders")
    parser.add_argument("--publish", action="store_true",
                        help="write the page into docs/benchmarks")
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR", required=True,
                        help=argparse.SUPPRESS)  # ./run passes it
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return arguments


def print_table(columns, table):
    """Columns as wide as they need to be, the first one flush left."""
    lines = [columns] + [[str(cell) for cell in line] for line in table]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *rest in lines:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:])]
        print("  " + "  ".join([first.ljust(widths[0]), *cells]))


def print_facts(facts):
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"  {name.ljust(width)}  {value}")


def print_goals(goals, facts):
    print("\ngoals")
    print_table(["", "figure", "goal", ""],
                [[goal.name, page.describe_figure(goal), page.describe_limit(goal),
                  "met" if goal.met else "MISSED"] for goal in goals])
    if facts["load"] > facts["cores"] / 2:
        print(f"\nThe machine was busy (load {facts['load']}): the times mean little.")


def run_all(names, tools):
    results = {}
    for name in names or BENCHMARKS:
        if sys.stderr.isatty():
            print(f"\n{name} ... (some take minutes)", end="\r", file=sys.stderr)
        result = BENCHMARKS[name](tools)
        print(f"\n{result.title}")
        print_table(result.columns, result.table)
        if result.note:
            print(f"  {result.note}")
        results[name] = result
    return results


def write_report(folder, facts, results, quick):
    goals = [dict(dataclasses.asdict(goal), met=goal.met, benchmark=name)
             for name, result in results.items() for goal in result.goals]
    report = {
        "machine": facts,
        "quick": quick,
        "goals": goals,
        "figures": {name: result.rows for name, result in results.items()},
    }
    page.write_page(folder, facts, results)
    (folder / "figures.json").write_text(json.dumps(report, indent=1) + "\n",
                                         encoding="utf-8")
    print(f"\nwritten to {folder}")


def main():
    arguments = parse_arguments()
    sys.stdout.reconfigure(line_buffering=True)
    try:
        build = arguments.build
        facts = machine.facts(build)
        print_facts(facts)
        results = run_all(arguments.names, Tools(build, arguments.quick))
    except (BenchmarkError, subprocess.CalledProcessError, OSError) as error:
        print(f"run_bench: {error}", file=sys.stderr)
        return 2
    goals = [goal for result in results.values() for goal in result.goals]
    print_goals(goals, facts)
    folder = ROOT / ("docs/benchmarks" if arguments.publish else "build/bench/report")
    write_report(folder, facts, results, arguments.quick)
    return 0 if all(goal.met for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
