"""Format M: the Agent Trajectory Interchange Format, versions 1.0 to 1.7."""
