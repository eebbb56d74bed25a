"""The pages of the server, a module each.

A module is found by its function ``add(app, desk)``, which puts its pages into the application;
one that people come to from anywhere names its place in the menu, ``MENU = (address, words)``.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from fastapi import FastAPI

from symmv_builder.web.desk import Desk

# The first of the menu leads to all others.
_FIRST = "/"


def add_pages(app: FastAPI, desk: Desk) -> None:
    """Put the pages of every module into an application."""
    for module in _modules():
        module.add(app, desk)


def menu() -> dict[str, str]:
    """What stands in the menu: addresses with their words, that of the first page before others."""
    named = dict(module.MENU for module in _modules() if hasattr(module, "MENU"))
    return {_FIRST: named.pop(_FIRST), **named}


def _modules() -> Iterator[ModuleType]:
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        if hasattr(module, "add"):
            yield module
