"""CMT: music for a video by rules of rhythm, after Di et al. (2021).

"Video Background Music Generation with Controllable Music Transformer" learns from music alone. Its
tokens say how many notes are to come; for a video these numbers are what its motion says.
"""
