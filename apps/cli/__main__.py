"""The `agentruns` command."""

import sys

from agentruns import __version__


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    # Late: even the parser takes longer to import than `--version` may take.
    from apps.cli.launch import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
