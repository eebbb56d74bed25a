"""How tests are shared among processes: by files, whose fixtures cost much; pages one by one."""

from contextlib import suppress

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class ByFilesAndPages(LoadFileScheduling):  # type: ignore[misc]
    """Every process gets whole files, but for the pages of the documentation."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if file.endswith("test_documentation.py") else file

    def _reschedule(self, node: WorkerController) -> None:
        """Give a process files until it has two tests, or the word that no more will come.

        A process begins a test when it knows what comes next. xdist gives it one file, and what one
        that died leaves may be a file with a single test, or with none: then it waits for ever.
        """
        if node not in self.registered_collections:
            # It has just begun in the place of one that died, and is given files when it is ready.
            return
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a process a file; one that has died already leaves it to others, as all it has."""
        with suppress(OSError):
            super()._assign_work_unit(node)
