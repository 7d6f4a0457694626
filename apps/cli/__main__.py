"""The `agentruns` command."""

import sys

from agentruns import __version__

#: What shells say of a program that Ctrl-C ended.
STOPPED = 130


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    try:
        # Late: even the parser takes longer to import than `--version` may take.
        from apps.cli.launch import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Ctrl-C before anything began, or a second one while the first was being answered.
        code = STOPPED
    sys.exit(code)


if __name__ == "__main__":
    main()
