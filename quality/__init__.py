"""Whether it can be trusted: what the pipelines and the data look like from outside."""
