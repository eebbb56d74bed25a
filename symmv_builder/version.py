"""The version of the package: part of what is remembered of a bug, and of nothing else."""

__version__ = "0.2.0"
