"""Numbers for Prometheus: `python -m symmv_builder.flows.metrics`, then scrape port 9464.

They are read from the ledger at each scrape, so that one exporter a data root serves builds and
crawls on any machine, whether a flow or a command does the work, and goes on between runs. Flows
that are started by hand, and `flows.serve`, export them too with `--metrics-port`.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from symmv_builder.api.monitoring import MEASURES, Measurement, measurements
from symmv_builder.api.options import HELP
from symmv_builder.errors import StopRun, SymMVError
from symmv_builder.settings import Settings, read_settings
from symmv_builder.text import harmless

HOST, PORT = "127.0.0.1", 9464
# Several scrapers, or one that asks often, do not make the ledger's work.
_KEPT_S = 5.0


class LedgerCollector(Collector):
    """The measurements of a root as gauges, and whether the ledger could be read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._measurements: tuple[Measurement, ...] | None = ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() - self._read_at > _KEPT_S:
                self._measurements = self._read()
                self._read_at = time.monotonic()
            sample = self._measurements
        about = "1 if the ledger could be read, else 0."
        yield GaugeMetricFamily("symmv_up", about, value=sample is not None)
        for name, documentation in MEASURES.items():
            of_metric = [measured for measured in sample or () if measured.name == name]
            if not of_metric:
                continue
            labels = [label for label, _ in of_metric[0].labels]
            family = GaugeMetricFamily(name, documentation, labels=labels)
            for measured in of_metric:
                family.add_metric([harmless(text) for _, text in measured.labels], measured.value)
            yield family

    def _read(self) -> tuple[Measurement, ...] | None:
        try:
            return measurements(self._settings)
        except SymMVError as error:
            sys.stderr.write(f"flows.metrics: {harmless(str(error), 500)}\n")
            return None


def export(settings: Settings, port: int, host: str = HOST) -> int:
    """Answer scrapes from a thread of this process; the port, which is free choice for 0.

    `StopRun` where the port is taken.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LedgerCollector(settings))
    try:
        server, _ = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        raise StopRun(f"no metrics on {host}:{port}: {error}") from error
    return int(server.server_port)


def add_option(options: argparse.ArgumentParser) -> None:
    """Add the option of programs that do other work and export these numbers meanwhile."""
    about = "export metrics for Prometheus on this port of the loopback address"
    options.add_argument("--metrics-port", type=int, help=about)


def export_if_asked(settings: Settings, port: int | None) -> None:
    """Begin to answer scrapes where `--metrics-port` was given."""
    if port is not None:
        sys.stderr.write(f"metrics on http://{HOST}:{export(settings, port)}/metrics\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer scrapes until it is stopped; gives the exit code, 2 where it cannot begin."""
    options = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    options.add_argument("--root", help=HELP["root"])
    options.add_argument("--host", default=HOST, help="address to listen on")
    options.add_argument("--port", type=int, default=PORT)
    values = options.parse_args(arguments)
    try:
        port = export(read_settings(root=values.root), values.port, values.host)
    except StopRun as error:
        sys.stderr.write(f"flows.metrics: {error}\n")
        return 2
    sys.stdout.write(f"metrics on http://{values.host}:{port}/metrics\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    from .metrics import main as run_main

    sys.exit(run_main())
