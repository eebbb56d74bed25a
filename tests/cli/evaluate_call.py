"""`symmv evaluate` called in the process of a test."""

import json
import re
import sys
from typing import Any

import pytest

from symmv_builder import cli


class Call:
    """Runs `symmv evaluate ...` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def __call__(self, arguments: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["symmv", "evaluate", *arguments.split()])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = self.capsys.readouterr()
        return int(end.value.code or 0), out, err

    def json(self, arguments: str) -> dict[str, Any]:
        """The answer; nothing is said beside it."""
        code, out, err = self(f"{arguments} --json")
        # On a slow machine a line now and then says how far it has come.
        said = [line for line in err.splitlines() if not re.match(r"\d+ of \d+: ", line)]
        assert (code, said) == (0, []), err
        assert out.count("\n") == 1
        answer = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert isinstance(answer, dict)
        return answer
