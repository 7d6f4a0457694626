"""`python -m apps.stack up|down|reset|status`: without the comfort of the command line."""

import json
import sys

from agentruns.home import home
from apps.stack import Stack

if __name__ == "__main__":
    stack = Stack(home())
    match sys.argv[1:]:
        case ["up", "--stores"]:
            done: object = stack.up(prefect=False)
        case [("up" | "down" | "reset" | "status" | "environment") as command]:
            done = getattr(stack, command)()
        case _:
            sys.exit("say one of: up [--stores], down, reset, status, environment")
    sys.stdout.write(json.dumps(done, indent=2) + "\n")
