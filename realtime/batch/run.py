"""An archive from its list of recordings to its tables and its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mer_live.engines.bundle import common_classes, load_bundle
from mer_live.engines.executors import Executor
from mer_live.engines.versions import versions
from mer_live.realtime.batch.analyse import BatchSettings, analyse, row_of
from mer_live.realtime.batch.journal import BatchJournal
from mer_live.realtime.batch.page import PAGE, add_up, write_page
from mer_live.realtime.batch.recordings import ArchiveItem
from mer_live.realtime.batch.tables import write_tables

RETRIES = 3
_LOST = f"its worker died {RETRIES + 1} times: the decoder crashed, or memory was short"


def run_batch(
    recordings: Sequence[ArchiveItem],
    settings: BatchSettings,
    out: Path,
    executor: Executor,
    *,
    failed_again: bool = False,
    begun: Callable[[Sequence[ArchiveItem]], None] = lambda left: None,
    told: Callable[[ArchiveItem, dict[str, Any]], None] = lambda recording, row: None,
) -> tuple[dict[str, Any], list[Path]]:
    """Analyse what is not done yet, then write the tables and the page over all.

    Args:
        recordings: of the archive.
        settings: for all of them.
        out: folder; one that was begun is gone on with.
        executor: where they are analysed.
        failed_again: also those that failed before.
        begun: told what is left to do.
        told: told each recording that is done, with its row.

    Returns:
        Sums as `add_up` has them, and the files that were written.

    Raises:
        JournalError: ``out`` belongs to another archive.
        BundleError, BackendError, LandmarkerError, ExecutorError, OSError: what is done is kept.
    """
    bundles = [load_bundle(name) for name in settings.bundles]
    classes = common_classes(bundles)
    header = {
        "version": versions()["mer-live"],
        "bundles": [{"name": one.card.name, "sha256": one.card.sha256} for one in bundles],
        "backend": settings.backend,
        "config": asdict(settings.live),
    }
    with BatchJournal(out, header) as journal:
        left = journal.left(recordings, failed_again=failed_again)
        begun(left)
        work = executor.run(analyse, settings, left, lambda one: row_of(one, _LOST))
        with closing(work):
            for recording, row in work:
                journal.add(row)
                told(recording, row)
        totals = add_up(journal.rows(), classes)
        written = write_tables(journal.rows(), out, classes)
        write_page(journal.rows(), totals, out / PAGE, out.name, classes)
    return totals, [*written, out / PAGE]
