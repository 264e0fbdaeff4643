#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the benchmarks, run them and say which goals are met.

Exits with 0 if all are, 1 if one is missed, 2 if something could not be run.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys

import machine
from benchmarks import BENCHMARKS
from tools import BenchmarkError, Tools

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"what to run (all): {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true",
                        help="fewer rounds and contenders")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        default=ROOT / "build" / "bench.json",
                        help="where to write all figures (build/bench.json)")
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR",
                        help="a build directory of yours (build/release, release build)")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return arguments


def build_programs(build):
    """Bring the build up to date; without one of the caller's, make it first."""
    if build is None:
        build = ROOT / "build" / "release"
        if not (build / "build.ninja").exists():
            subprocess.run(["meson", "setup", build, ROOT, "--buildtype=release",
                            "-Dtests=disabled", "-Ddemos=disabled", "-Dbench=enabled"],
                           stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["meson", "compile", "-C", build], stdout=subprocess.DEVNULL,
                   check=True)
    return build


def print_table(columns, table):
    """Columns as wide as they need to be, the first to the left."""
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
    print_table(["", "figure", "at most", ""],
                [[goal.name, f"{goal.figure:.2f}", f"{goal.limit:g}",
                  "met" if goal.met else "MISSED"] for goal in goals])
    if facts["load"] > facts["cores"] / 2:
        print(f"\nThe machine was busy (load {facts['load']}): times say little.")


def run_all(names, tools):
    results = {}
    for name in names or BENCHMARKS:
        result = BENCHMARKS[name](tools)
        print(f"\n{result.title}")
        print_table(result.columns, result.table)
        results[name] = result
    return results


def write_report(path, facts, results, quick):
    goals = [dict(dataclasses.asdict(goal), met=goal.met, benchmark=name)
             for name, result in results.items() for goal in result.goals]
    report = {
        "machine": facts,
        "quick": quick,
        "goals": goals,
        "figures": {name: result.rows for name, result in results.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def main():
    arguments = parse_arguments()
    sys.stdout.reconfigure(line_buffering=True)
    try:
        build = build_programs(arguments.build)
        facts = machine.facts(build)
        print_facts(facts)
        results = run_all(arguments.names, Tools(build, arguments.quick))
    except (BenchmarkError, subprocess.CalledProcessError, OSError) as error:
        print(f"run_bench: {error}", file=sys.stderr)
        return 2
    goals = [goal for result in results.values() for goal in result.goals]
    print_goals(goals, facts)
    write_report(arguments.json, facts, results, arguments.quick)
    return 0 if all(goal.met for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
