# SPDX-License-Identifier: MIT
"""Where figures come from: the machine and what the programs were built with."""

import json
import os
import platform
import subprocess


def _cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _introspect(build, what):
    done = subprocess.run(["meson", "introspect", f"--{what}", str(build)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _compiler(build):
    """The first line of what the compiler says of itself."""
    with open(build / "compile_commands.json", encoding="utf-8") as commands:
        command = json.load(commands)[0]["command"].split()
    name = next(word for word in command if not word.endswith("ccache"))
    done = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def facts(build):
    """Names and values, in the order they are printed."""
    options = {option["name"]: option["value"]
               for option in _introspect(build, "buildoptions")}
    versions = {found["name"]: found["version"]
                for found in _introspect(build, "dependencies")}
    return {
        "CPU": _cpu_model(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "kernel": f"{platform.system()} {platform.release()}",
        "libuv": versions.get("libuv", "none"),
        "compiler": _compiler(build),
        "buildtype": options["buildtype"],
        "sanitizers": options.get("b_sanitize", "none"),
    }
