"""Run uv with the package indexes that pip is configured with: `installation.uv pip install ...`.

uv reads none of pip's configuration. What names an index, where its certificates are and how long
to wait goes into uv's own variables, unless these are set already.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# pip's options that uv knows by another name.
VARIABLES = {
    "index_url": "UV_DEFAULT_INDEX",
    "extra_index_url": "UV_INDEX",
    "find_links": "UV_FIND_LINKS",
    "trusted_host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
}


def pip_options(listing: str) -> dict[str, str]:
    """Options out of `pip config list`, the one that counts where several files set one."""
    ranked: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in ranked and value:
            words = str(ast.literal_eval(value)).split()
            ranked[section][option.replace("-", "_")] = " ".join(words)
    options: dict[str, str] = {}
    for setting in ranked.values():
        options |= setting
    # The environment's list has `default_timeout` for what a file calls `timeout`.
    if "default_timeout" in options:
        options.setdefault("timeout", options["default_timeout"])
    return options


def environment(options: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The environment of uv: what is set now, and pip's options for what is not."""
    variables = {
        variable: options[option]
        for option, variable in VARIABLES.items()
        if options.get(option) and variable not in now
    }
    # As with pip, every index may offer every package; which file is taken, its hash decides.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match"} | variables | dict(now)


def uv_environment() -> dict[str, str]:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(pip, check=True, capture_output=True, text=True).stdout
    return environment(pip_options(listing), os.environ)


def program() -> str:
    """uv of the environment whose Python runs this."""
    return str(Path(sys.executable).with_name("uv"))


if __name__ == "__main__":
    os.execve(program(), ["uv", *sys.argv[1:]], uv_environment())
