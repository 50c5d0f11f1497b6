# SPDX-License-Identifier: MIT
"""Builds the benches in C and in Go, runs both interleaved and prints a Markdown table.

Started by run.sh.  README.md says how to read the table.
"""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TIMEOUT = 900  # seconds a sample may take; the longest takes a minute on a slow machine

# Program: size, size with --quick, size with --large.
WORKLOADS = {
    "yield": (10_000_000, 1_000_000, None),
    "pingpong": (1_000_000, 100_000, None),
    "buffered": (5_000_000, 500_000, None),
    "spawn": (1_000_000, 100_000, None),
    "skynet": (1_000_000, 100_000, None),
    "ring": (2_000_000, 200_000, None),
    "sieve": (2000, 500, None),
    "memory": (100_000, 20_000, 1_000_000),
    "mutex": (10_000_000, 1_000_000, None),
    "select": (1_000_000, 100_000, None),
    "sleepers": (30_000, 10_000, 1_000_000),
    "timer": (2_000_000, 200_000, None),
    "forkjoin": (30, 25, None),
}


class Failure(Exception):
    """Something went wrong; the message says what."""


def need(tool, why):
    path = shutil.which(tool)
    if path is None:
        raise Failure(f"{tool} is missing: {why}")
    return path


def run(command, **kwargs):
    """Runs a command quietly and returns its output; on failure shows what it said."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False, **kwargs)
    if result.returncode != 0:
        raise Failure(f"{' '.join(command)} failed with status {result.returncode}:\n"
                      f"{result.stdout.rstrip()}")
    return result.stdout


def cached(build, variable):
    """What CMake's cache holds for a variable, or None."""
    try:
        with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as f:
            found = re.search(rf"^{variable}:\w+=(.*)$", f.read(), re.MULTILINE)
    except FileNotFoundError:
        return None
    return found.group(1) if found else None


def build_c(build, names):
    cmake = need("cmake", "it builds the C half")
    kind = cached(build, "CMAKE_BUILD_TYPE")
    if kind not in (None, "Release"):
        raise Failure(f"{build} is a {kind or 'plain'} build; the benches want Release")
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DGORO_BENCH=ON"]
    if kind is None:
        options += ["-DGORO_TESTS=OFF", "-DGORO_EXAMPLES=OFF"]
    run([cmake, "-S", ROOT, "-B", build] + options)
    run([cmake, "--build", build, "--parallel", str(cores()), "--target"] +
        [f"bench_{name}" for name in names])
    return {name: os.path.join(build, "bench", name) for name in names}


def build_go(build):
    go = need("go", "it builds the Go half")
    program = os.path.join(build, "gobench")
    run([go, "build", "-o", program, "."], cwd=os.path.join(HERE, "go"))
    return program


def cores():
    return len(os.sched_getaffinity(0))


def first_line(command):
    return run(command).split("\n", 1)[0].strip()


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def compiler(build):
    path = cached(build, "CMAKE_C_COMPILER")
    return first_line([path, "--version"]) if path else "unknown"


def machine(build, samples):
    return [
        f"CPU: {cpu_model()}, {cores()} cores",
        f"Kernel: {platform.system()} {platform.release()} {platform.machine()}",
        f"Compiler: {compiler(build)}",
        f"Go: {run(['go', 'version']).strip().removeprefix('go version ')}",
        f"Date: {time.strftime('%Y-%m-%d')}; medians of {samples} samples",
    ]


def sample(command, procs):
    """One process: {measurement: (value, unit)}, in the order of its output."""
    env = dict(os.environ, GORO_PROCS=str(procs), GOMAXPROCS=str(procs))
    what = f"{' '.join(command)} with {procs} P"
    try:
        result = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, text=True,
                                capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired as e:
        raise Failure(f"{what} was not done after {TIMEOUT} s") from e
    if result.returncode != 0:
        raise Failure(f"{what} failed with status {result.returncode}:\n"
                      f"{result.stderr[-2000:].rstrip()}")
    values = {}
    for line in result.stdout.splitlines():
        fields = re.fullmatch(r"(\w+) (-?[\d.]+) (\w+) (\d+)", line)
        if fields is None:
            raise Failure(f"{what} printed {line!r}")
        if int(fields[4]) != procs:
            raise Failure(f"{what} ran with {fields[4]}")
        values[fields[1]] = (float(fields[2]), fields[3])
    return values


def figure(value):
    """Three or four significant digits, never an exponent."""
    for limit, digits in ((1, 3), (10, 2), (100, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}"
    return f"{value:.0f}"


def rows(commands, procs, samples):
    """Runs the commands in turn; one table row for each measurement."""
    results = {language: [] for language in commands}
    for _ in range(samples):
        for language, command in commands.items():
            results[language].append(sample(command, procs))
    names = [list(result[0]) for result in results.values()]
    if names[0] != names[1]:
        raise Failure(f"C measured {names[0]}, Go {names[1]}")
    for name in names[0]:
        unit = results["c"][0][name][1]
        goro, go = (statistics.median(s[name][0] for s in results[language])
                    for language in ("c", "go"))
        ratio = f"{go / goro:.2f}" if goro > 0 else ""
        yield f"| {name} | {unit} | {procs} | {figure(goro)} | {figure(go)} | {ratio} |"


def measure(args, build):
    c = build_c(build, args.only)
    go = build_go(build)
    for line in machine(build, args.samples):
        print(f"- {line}")
    print("\n| workload | unit | procs | goro | Go | Go/goro |")
    print("|---|---|---:|---:|---:|---:|")
    failures = 0
    for name in args.only:
        size = str(WORKLOADS[name][args.column] or WORKLOADS[name][0])
        commands = {"c": [c[name], size], "go": [go, name, size]}
        for procs in args.procs:
            try:
                for row in rows(commands, procs, args.samples):
                    print(row, flush=True)
            except Failure as e:
                failures += 1
                print(f"| {name} | failed | {procs} | | | |", flush=True)
                print(f"run.sh: {e}", file=sys.stderr)
    return 1 if failures else 0


def positive(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def positive_list(text):
    values = [positive(word) for word in text.replace(",", " ").split()]
    if not values:
        raise argparse.ArgumentTypeError("no number given")
    return values


def name_list(text):
    names = text.replace(",", " ").split()
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"no workload {' '.join(unknown) or text!r}; "
                                         f"there are: {' '.join(WORKLOADS)}")
    return names


def arguments():
    parser = argparse.ArgumentParser(
        prog="run.sh", description="Compares goro with Go on the same work.")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="column", action="store_const", const=1, default=0,
                       help="small sizes, 3 samples")
    sizes.add_argument("--large", dest="column", action="store_const", const=2, default=0,
                       help="memory and sleepers with 1,000,000 goroutines")
    parser.add_argument("--only", metavar="NAME", type=name_list, default=list(WORKLOADS),
                        help="these workloads only; several separated by commas")
    parser.add_argument("--samples", metavar="N", type=positive, help="of each (default 5)")
    parser.add_argument("--procs", metavar="LIST", type=positive_list, default=[1, 2],
                        help='numbers of Ps (default "1 2")')
    parser.add_argument("--build-dir", metavar="DIR",
                        help="build there and keep it (default: a temporary directory)")
    args = parser.parse_args()
    if args.samples is None:
        args.samples = 3 if args.column == 1 else 5
    return args


def main():
    args = arguments()
    try:
        need("cmake", "it builds the C half")
        need("go", "it builds the Go half")
        if args.build_dir is not None:
            os.makedirs(args.build_dir, exist_ok=True)
            return measure(args, os.path.abspath(args.build_dir))
        with tempfile.TemporaryDirectory(prefix="goro-bench-") as build:
            return measure(args, build)
    except (Failure, OSError) as e:
        print(f"run.sh: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
