"""Our figures beside the raw drivers', measured in one run."""
