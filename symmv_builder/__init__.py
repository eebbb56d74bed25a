"""Build paired datasets of music and video with symbolic annotation.

SymMV (Zhuo et al., ICCV 2023) and MuVi-Sync (Kang et al., Video2Music, 2024) described
their datasets in papers; this package is the pipeline that builds them, and others like
them, from recordings to Parquet shards.
"""

__version__ = "0.1.0"
