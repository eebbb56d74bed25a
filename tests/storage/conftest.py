"""What tests of storage share: ledgers in SQLite, and in a real PostgreSQL where there is one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

_NUMBERS = count()


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of our own, reached by a socket in its folder alone."""

    programs: Path
    folder: Path
    owner: str | None

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            user=self.owner,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self.run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-o", settings)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    def url(self) -> str:
        """A database that nobody has used."""
        psycopg = pytest.importorskip("psycopg")
        name = f"ledger{next(_NUMBERS)}"
        place = f"host={self.folder} user=symmv dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://symmv@/{name}?host={self.folder}"


def _programs() -> Path | None:
    """Where PostgreSQL's programs are; Debian does not put those of servers on the path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").is_file()), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg is not installed: symmv-builder[postgres]")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # It refuses to run as root, and its user cannot enter pytest's own folders.
    owner = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="symmv-pg-"))
    try:
        if owner:
            try:
                shutil.chown(folder, owner)
            except LookupError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        server = Server(programs, folder, owner)
        server.run(
            "initdb", "-D", str(folder / "data"), "-U", "symmv", "--auth=trust", "-E", "UTF8"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger goes, in either database."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        return server.url()
    return f"sqlite:///{tmp_path}/ledger.sqlite"
