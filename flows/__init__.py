"""The edge: when work is done and on how many machines, with Prefect 3.

The flows call the same functions as `symmv`; nothing in the package imports them. Neither
Prefect nor its runners report to anybody: both are told so before they are imported.
"""

import os

for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
}.items():
    os.environ.setdefault(_name, _value)
