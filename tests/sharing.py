"""How tests are shared among processes: by files, whose fixtures cost much; pages one by one."""

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class ByFilesAndPages(LoadFileScheduling):  # type: ignore[misc]
    """Every process gets whole files, but for the pages of the documentation."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if file.endswith("test_documentation.py") else file

    def remove_node(self, node: WorkerController) -> str | None:
        """Take what a process that died has not completed, and return what it died of.

        xdist hands on whole files, also those that it had completed. A process that is handed
        such a file at the end of the run has nothing to report, and waits for ever.
        """
        files = self.assigned_work[node]
        for name in [name for name, tests in files.items() if all(tests.values())]:
            del files[name]
        last: str | None = super().remove_node(node)
        return last
