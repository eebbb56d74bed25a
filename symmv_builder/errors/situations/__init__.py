"""What ends a run, by situation: subclasses of `StopRun` with fields, and a message built of them.

A message says what is wrong, in words that are true for a notebook, a flow and a command alike. It
names no option and no command: what to type is added by whoever asked (`cli/advice.py`).
"""
