"""Clusters of two nodes, of Dask and of Ray; a worker is killed in the middle, nothing is lost."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toy_build
import toy_flow
from standing import shards_of

from tests.flows.toys import make_toys

pytestmark = [
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.timeout(600),
]
COUNT = 24


@pytest.fixture
def slow_toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Entries that take a moment each, so that there is a middle."""
    monkeypatch.setenv("SYMMV_TOY_PAUSE_S", "0.3")
    return Path(make_toys(tmp_path / "media", COUNT))


@contextmanager
def killing(root: Path, kill: Callable[[], None], killed: list[float]) -> Iterator[None]:
    """Kill when a few entries are made, and are not all made."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            made = list((root / "toy" / "sidecars").glob("*/wave.*"))
            if len(made) >= COUNT // 6:
                kill()
                killed.append(time.monotonic())
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def build_amid_a_death(
    tmp_path: Path, media: Path, runner: str, address: str, kill: Callable[[], None]
) -> None:
    plain, root = tmp_path / "plain", tmp_path / "root"
    for folder in (plain, root):
        folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SYMMV_TOY_PAUSE_S")
        toy_build.run(str(plain), media, ledger_url=f"sqlite:///{plain}/l.sqlite", workers=0)
    killed: list[float] = []
    with killing(root, kill, killed):
        summary = toy_flow.toy(str(root), str(media), runner, address, 3)
    assert killed, "the build was over before anything was killed"
    assert summary.made + summary.rejected == COUNT
    assert summary.unfinished == 0
    assert shards_of(root / "toy") == shards_of(plain / "toy")
    assert toy_flow.toy(str(root), str(media), runner, address, 3).up_to_date


@pytest.mark.long
def test_a_dask_cluster_loses_a_worker_and_nothing_else(tmp_path: Path, slow_toys: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="symmv-builder[dask] is not installed")
    pytest.importorskip("prefect_dask", reason="symmv-builder[dask] is not installed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:

        def kill() -> None:
            with distributed.Client(cluster, set_as_default=False) as client:
                pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

        build_amid_a_death(tmp_path, slow_toys, "dask", cluster.scheduler_address, kill)


@pytest.mark.long
def test_a_ray_cluster_loses_a_node_and_nothing_else(tmp_path: Path, slow_toys: Path) -> None:
    ray = pytest.importorskip("ray", reason="symmv-builder[ray] is not installed")
    pytest.importorskip("prefect_ray", reason="symmv-builder[ray] is not installed")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def kill() -> None:
            cluster.remove_node(second, allow_graceful=False)

        build_amid_a_death(tmp_path, slow_toys, "ray", cluster.address, kill)
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_a_pool_of_processes_loses_one_and_nothing_else(tmp_path: Path, slow_toys: Path) -> None:
    psutil = pytest.importorskip("psutil")

    def kill() -> None:
        for child in psutil.Process().children():
            # A worker of the pool has a worker of its own: the child that does the decoding.
            if any("spawn_main" in part for part in child.cmdline()) and child.children():
                child.kill()
                return

    build_amid_a_death(tmp_path, slow_toys, "processes", "", kill)
