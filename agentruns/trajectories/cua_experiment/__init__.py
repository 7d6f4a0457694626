"""Format B: the folders that cua's older ExperimentManager wrote until July 2025."""
