"""The edge: when work is done and on how many machines, with Prefect 3.

The flows call the same functions as `symmv`; nothing in the package imports them. They are
installed as `symmv_builder.flows`; in a checkout's own folder they are `flows`, too. Neither
Prefect nor its runners report to anybody: both are told so before they are imported.
"""

import os
import sys

from symmv_builder.packages import how_to_install, is_installed

# What a flow run as a program needs beside Prefect, so that nobody installs twice.
_BESIDE = {"build": "models", "crawl": "crawl", "train": "train"}

# Imported by the modules here at their beginning, and in no other extra.
if _missing := next((each for each in ("prefect", "yaml") if not is_installed(each)), ""):
    _flow = next((each for each in _BESIDE if f"{__name__}.{each}" in sys.orig_argv), "")
    _how = how_to_install(_missing, "flows", also=_BESIDE.get(_flow, ""))
    # Python has not set the program's name yet where it runs a module of this package.
    if sys.argv[0] == "-m":
        sys.stderr.write(f"{_how}\n")
        raise SystemExit(2)
    raise ModuleNotFoundError(_how, name=_missing)

for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A server that is started for one run alone takes longer than Prefect waits on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    os.environ.setdefault(_name, _value)
