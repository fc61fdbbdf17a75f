"""What starting a command costs: CPU time and wall time, beside a bare Python.

Run by `make bench`. Each command runs in turn with the bare Python, so that the ratio holds on a noisy machine.

Example: python tests/benchmarks/commands.py --json
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

ROUNDS = 7
_LAKEWARD = ["-c", "from lakeward.cli import main; main()"]
COMMANDS = {
    "python -c pass (baseline)": ["-c", "pass"],
    "lakeward --help": [*_LAKEWARD, "--help"],
    "lakeward tables list": [*_LAKEWARD, "tables", "list"],
}


def once(arguments: list[str]) -> tuple[float, float]:
    """Run a command; return its CPU and wall time in seconds."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rounds = [{name: once(arguments) for name, arguments in COMMANDS.items()} for _ in range(ROUNDS + 1)][1:]
    baseline = next(iter(COMMANDS))
    rows = [
        {
            "command": name,
            "cpu_s": round(statistics.median(one[name][0] for one in rounds), 3),
            "wall_s": round(statistics.median(one[name][1] for one in rounds), 3),
            "cpu_ratio": round(statistics.median(one[name][0] / one[baseline][0] for one in rounds), 1),
        }
        for name in COMMANDS
    ]
    if given.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(f"Start of commands: median of {ROUNDS} rounds")
    for row in rows:
        print(f"{row['cpu_s']:8.2f} CPU s {row['wall_s']:8.2f} s {row['cpu_ratio']:6.1f} x baseline  {row['command']}")


if __name__ == "__main__":
    main()
