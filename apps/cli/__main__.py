"""The `agentruns` command."""

import sys

from agentruns import __version__
from apps.cli.exit_codes import ExitCode


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    try:
        # Late: even the parser takes longer to import than `--version` may take.
        from apps.cli.launch import run

        code: int = run(sys.argv[1:])
    except KeyboardInterrupt:
        # Ctrl-C before anything began, or a second one while the first was being answered.
        code = ExitCode.STOPPED
    sys.exit(code)


if __name__ == "__main__":
    main()
