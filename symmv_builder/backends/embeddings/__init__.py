"""Models that embed recordings, as audio is compared with: VGGish, CLAP, MERT.

Each cuts a recording into segments of its own length and gives one vector a segment, as musicnn
does. Their weights lie in no package.
"""
