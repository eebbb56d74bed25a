"""Every message that yt-dlp's extractors of the crawled sites can raise, read from their source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# What raises, and the class that it raises.
_CLASSES = {
    "ExtractorError": "ExtractorError",
    "raise_login_required": "ExtractorError",
    "raise_no_formats": "ExtractorError",
    "GeoRestrictedError": "GeoRestrictedError",
    "raise_geo_restricted": "GeoRestrictedError",
    "UserNotLive": "UserNotLive",
}


def files(extractors: Path) -> list[Path]:
    return [
        *sorted((extractors / "youtube").rglob("*.py")),
        extractors / "bilibili.py",
        extractors / "common.py",
    ]


def messages(path: Path) -> set[tuple[str, str]]:
    """Class and text of a file's errors; ``{}`` stands for what is filled in when it is raised.

    A text that is kept in a variable is every text that its function (or a default of its
    arguments) gives to that variable. One that comes from outside of the function is
    ``{name}``.
    """
    found: set[tuple[str, str]] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in _functions(tree):
        own = list(_own(function))
        for node in own:
            name = _name(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in _CLASSES:
                texts = _texts(_message(node), own, function)
                found |= {(_CLASSES[name], text) for text in texts}
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.Module]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Module):
            yield node


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function that are not those of a function within it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.FunctionDef):
            continue
        yield child
        yield from _own(child)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _message(call: ast.Call) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == "msg":
            return keyword.value
    return call.args[0] if call.args else None


def _texts(
    node: ast.expr | None, own: list[ast.AST], function: ast.FunctionDef | ast.Module
) -> Iterator[str]:
    if node is None:
        yield "{default}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        text = "".join(str(part) for part in parts)
        yield text
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, own, function)
        yield from _texts(node.orelse, own, function)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value, own, function)
    elif isinstance(node, ast.BinOp):
        yield from _texts(node.left, own, function)
        yield from _texts(node.right, own, function)
    elif isinstance(node, ast.Call) and _name(node.func) in (
        "join_nonempty",
        "bug_reports_message",
    ):
        for argument in node.args:
            yield from _texts(argument, own, function)
    elif isinstance(node, ast.Name):
        yield from _given(node.id, own, function)
    else:
        yield "{" + ast.unparse(node) + "}"


def _given(name: str, own: list[ast.AST], function: ast.FunctionDef | ast.Module) -> Iterator[str]:
    """The texts that a function gives to a variable, and the default if it is an argument."""
    yield "{" + name + "}"
    for node in own:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        is_it = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if is_it and isinstance(node, ast.Assign | ast.AugAssign):
            said = _texts(node.value, [], function)
            yield from (text for text in said if not re.fullmatch(r"\{.*\}|\W*", text, re.DOTALL))
    if isinstance(function, ast.FunctionDef):
        arguments = function.args
        pairs = [
            *zip(reversed(arguments.args), reversed(arguments.defaults), strict=False),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, default in pairs:
            if argument.arg == name and isinstance(default, ast.Constant) and default.value:
                yield str(default.value)
