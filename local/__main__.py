"""The commands `up`, `down` and `demo`, which the Makefile runs."""

import argparse
import sys

from rich.console import Console

from local.demo import run_demo
from local.deployment import DeployError
from local.environment import ROOT, LocalFolder
from local.processes import StartError
from local.system import down, is_up, up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "demo"])
    command = parser.parse_args().command
    folder = LocalFolder(ROOT / ".local")
    console = Console()
    if command == "down":
        stopped = down(folder)
        console.print(f"Stopped {', '.join(stopped)}." if stopped else "Nothing is running.")
        return 0
    was_up = is_up(folder)
    try:
        with console.status("Starting takes about a minute"):
            up(folder, console.print)
        if command == "up":
            console.print("The local system is up. Run `. .local/env` to use it from this shell;")
            console.print(".local/outputs.json holds the stack's outputs.")
            return 0
        return 0 if run_demo(folder, console) else 1
    except (StartError, DeployError) as error:
        console.print(f"[red]{error}")
        return 1
    finally:
        if command == "demo" and not was_up:
            down(folder)


if __name__ == "__main__":
    sys.exit(main())
