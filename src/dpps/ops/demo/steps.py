"""The steps of the demo, in order, each timed and told about.

The demo does what people do: it puts files into the hand-over folder, looks into the archive, submits a
production, retrieves products. The services do the work. A service that is restarted meanwhile delays the
demo and changes nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import httpx

from dpps.composition.instance import Instance, write_atomically
from dpps.composition.state import StateFolder
from dpps.composition.workload import open_work_store
from dpps.domain.errors import DamagedFile, Unavailable
from dpps.domain.files import ArchivedFile
from dpps.ops.demo.archive import Archive
from dpps.ops.demo.folder import claimed_folder, untold
from dpps.ops.demo.inputs import DemoInput, given_input, hand_over, toy_input
from dpps.ops.demo.night import NIGHT_FOLDER, Night, observe_night, store_notes
from dpps.ops.demo.page import write_page
from dpps.ops.demo.pictures import EventFiles, draw, summarize
from dpps.ops.demo.processing import DemoProduction
from dpps.ops.demo.record import DemoRecord, Progress, Timeline
from dpps.ops.demo.science import show_science
from dpps.ops.demo.waiting import Patience, retried, wait_until
from dpps.ops.lifecycle import start, stop
from dpps.ops.status import ServiceStatus
from dpps.workload.ports import WorkStore

__all__ = ["DemoResult", "run_demo"]

_PICTURED_CHAINS = 4
_NIGHT_PATIENCE = Patience(seconds=3600.0)
"""A run of showers tells nothing while it lasts: minutes, or longer on a machine that others use too."""


class DemoResult:
    """The record of a finished demo and the path of its page."""

    def __init__(self, record: DemoRecord, page: Path, refused: list[dict[str, str]]) -> None:
        self.record = record
        self.page = page
        self.refused = refused


class _Demo:
    def __init__(
        self,
        folder: StateFolder,
        chosen: DemoInput,
        record: DemoRecord,
        timeline: Timeline,
        patience: Patience,
        night: Night | None,
    ) -> None:
        self.folder = folder
        self.chosen = chosen
        self.night = night
        self.record = record
        self.timeline = timeline
        self.patience = patience
        self.next_step = f"look at: dpps status --state {folder.root}; dpps logs --state {folder.root}"
        self.refused: list[dict[str, str]] = []

    def bring_up(self) -> None:
        """Start every service."""
        with self.timeline.step("up", "Start the system") as step:

            def told(service: ServiceStatus) -> None:
                self.timeline.tell(step, 0, 0, f"{service.name} {service.state.value}")

            started = start(self.folder, report=told)
            step.count = sum(service.pid is not None for service in started.status.services)
            step.detail = "services, from an empty folder"
        self.archive = Archive(self.folder)
        self.record.sites = self.archive.sites

    def hand_over(self) -> None:
        """Put the files into the hand-over folder."""
        with self.timeline.step("handover", "Hand over") as step:
            total = len(self.chosen.files)
            self.delivered = hand_over(
                self.chosen,
                self.folder.handover,
                lambda done, name: self.timeline.tell(step, done, total, name),
            )
            step.count, step.size_bytes = total, self.chosen.size_bytes
            step.detail = "files with their trigger links"

    def ingest(self) -> list[ArchivedFile]:
        """Wait until every file is in the archive or refused."""
        with self.timeline.step("ingest", "Check and archive") as step:
            wait_until(
                self._look_for_ingest,
                what="ingest",
                next_step=self.next_step,
                patience=self.patience,
                tell=lambda *progress: self.timeline.tell(step, *progress),
            )
            files = retried(self.archive.files, patience=self.patience)
            step.count, step.size_bytes = len(files), sum(file.content.size_bytes for file in files)
            step.detail = "files read to their end and registered on site"
            if self.refused:
                step.detail += f"; {len(self.refused)} refused"
        self.record.toy = any(file.metadata.get("dpps__toy") is True for file in files)
        self.record.remarks += [f"Refused, not archived: {one['message']}." for one in self.refused]
        if not files:
            raise DamagedFile(
                f"none of {len(self.chosen.files)} files was accepted; first: {self.refused[0]['message']}",
                code="demo-all-refused",
                next_step=self.refused[0]["next_step"],
            )
        return files

    def _look_for_ingest(self) -> tuple[int, int, str]:
        waiting = [path for path in self.delivered if path.with_name(path.name + ".trigger").is_symlink()]
        self.refused = self._refusals()
        refused = {one["path"] for one in self.refused}
        open_ = [path for path in waiting if str(path) not in refused]
        total = len(self.delivered)
        return total - len(open_), total, f"reading {open_[0].name}" if open_ else "all read"

    def _refusals(self) -> list[dict[str, str]]:
        url = Instance.load(self.folder).endpoint("ingest").url
        try:
            answer = httpx.get(f"{url}/refused", timeout=5, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(f"the ingest service does not answer: {error}") from error
        refused: list[dict[str, str]] = answer.json()
        return refused

    def preserve(self, name: str, title: str, files: list[ArchivedFile]) -> None:
        """Wait until files have two distant copies, and none on site."""
        with self.timeline.step(name, title) as step:
            wait_until(
                lambda: self.archive.look_for_safety(files),
                what=title,
                next_step=self.next_step,
                patience=self.patience,
                tell=lambda *progress: self.timeline.tell(step, *progress),
            )
            step.count = 2 * len(files)
            step.size_bytes = 2 * sum(file.content.size_bytes for file in files)
            step.detail = "copies in distant centres, read back; the copies on site were freed"

    def process(self, store: WorkStore) -> list[ArchivedFile]:
        """Run the production to its end."""
        title = "Process to a spectrum" if self.night else "Process to DL2"
        with self.timeline.step("process", title) as step:
            self.production = DemoProduction(self.folder, store, self._production_file())
            retried(self.production.submit, patience=self.patience)
            wait_until(
                self.production.look,
                what=f"production {self.production.name}",
                next_step=f"{self.next_step}; dpps production status {self.production.name}",
                patience=self.patience,
                tell=lambda *progress: self.timeline.tell(step, *progress),
            )
            published = retried(self.production.published, patience=self.patience)
            products = retried(
                lambda: self.archive.known([one.lfn for one in published]), patience=self.patience
            )
            step.count, step.size_bytes = len(products), sum(file.content.size_bytes for file in products)
            step.detail = "products of linked transformations, published with metadata and provenance"
            self.record.jobs = retried(self.production.job_rows, patience=self.patience)
        return products

    def _production_file(self) -> str:
        if self.night is not None:
            return f"{NIGHT_FOLDER}/crab_night.yaml"
        return "observed_dl2.yaml" if self.chosen.raw else "simulated_dl2.yaml"

    def store_notes(self, night: Night) -> None:
        """Bring into the archive what the raw data do not say."""
        with self.timeline.step("notes", "Store the observers' notes") as step:
            step.count = retried(lambda: store_notes(self.folder, night), patience=self.patience)
            step.detail = "target, times and dead time of each observation block"

    def verify(self) -> None:
        """Read every copy back for the page."""
        with self.timeline.step("verify", "Read every copy back") as step:
            rows = retried(lambda: self.archive.rows(self.archive.files()), patience=self.patience)
            self.record.products = rows
            step.count = sum(len(row.copies) for row in rows)
            step.size_bytes = sum(len(row.copies) * row.size_bytes for row in rows)
            step.detail = "copies compared with the catalogue"

    def _fetched(self, lfn: str, place: Path) -> Path:
        return retried(lambda: self.archive.fetch(lfn, place), patience=self.patience)

    def draw(self) -> None:
        """Retrieve products and draw their events."""
        with self.timeline.step("pictures", "Retrieve and draw") as step:
            scratch = self.folder.root / "pictures"
            summaries = []
            chains = self._chains()
            for number, (source, images, showers) in enumerate(chains, start=1):
                files = EventFiles(
                    name=source,
                    images=self._fetched(images, scratch / str(number)),
                    showers=self._fetched(showers, scratch / str(number)),
                )
                truth = self.night.truth_of(source) if self.night else self.chosen.truth
                pictures, summary = draw(files, truth, scratch / str(number))
                summaries.append(summary)
                if number <= _PICTURED_CHAINS:
                    self.record.pictures += pictures
                self.timeline.tell(step, number, len(chains), source)
            self.record.directions = summarize(summaries)
            self.record.remarks += [
                f"{chain[0]}: {summary['statement']}"
                for chain, summary in zip(chains, summaries, strict=True)
            ]
            if self.night is not None:
                self._draw_science(self.night, scratch)
            step.count = len(self.record.pictures)
            step.detail = "pictures"

    def _draw_science(self, night: Night, scratch: Path) -> None:
        published = retried(self.production.published, patience=self.patience)
        shown = show_science(published, night, lambda lfn: self._fetched(lfn, scratch), scratch / "science")
        self.record.pictures = [*shown.pictures, *self.record.pictures]
        self.record.science = shown.result
        self.record.remarks += [f"Limit of the simulation: {limit}." for limit in night.limits]

    def _chains(self) -> list[tuple[str, str, str]]:
        """Return (name of the source, camera images, showers) of each chain, by lineage."""
        published = {one.lfn: one for one in retried(self.production.published, patience=self.patience)}
        return [
            (published[one.inputs[0]].inputs[0].rsplit("/", 1)[1], one.inputs[0], one.lfn)
            for one in published.values()
            if one.output == "dl2"
        ]


def run_demo(
    folder: StateFolder,
    named: Path | None,
    listener: Callable[[Progress], None],
    *,
    toy: bool = False,
    keep: bool = False,
    patience: Patience | None = None,
) -> DemoResult:
    """Send files through the whole system and write the page.

    Parameters
    ----------
    folder : StateFolder
        Where the demo's system lives; an earlier demo there is replaced.
    named : Path, optional
        Folder of the files to hand over; without it a night is simulated.
    listener : callable
        Gets every progress.
    toy : bool
        Hand over toy events instead of a simulated night.
    keep : bool
        Leave the system running.
    patience : Patience, optional
        How long to wait for something that does not move.

    Raises
    ------
    DppsError
        When something is wrong with input, machine or system, or another demo runs there; the system is
        stopped then.
    """
    given = None if named is None else given_input(named)
    is_night = given is None and not toy
    with claimed_folder(folder):
        record = DemoRecord(kind="", source="")
        timeline = Timeline(record, listener)
        chosen, night = _input(folder, given, timeline, toy=toy)
        record.kind, record.source = chosen.kind, str(chosen.root)
        demo = _Demo(
            folder, chosen, record, timeline, patience or (_NIGHT_PATIENCE if is_night else Patience()), night
        )
        return _whole_way(demo, keep=keep)


def _input(
    folder: StateFolder, given: DemoInput | None, timeline: Timeline, *, toy: bool
) -> tuple[DemoInput, Night | None]:
    """Make or find what is handed over, and say how much it is."""
    night: Night | None = None
    title = "Choose the input" if given or toy else "Simulate the night"
    with timeline.step("input", title) as step:
        if given is not None:
            chosen, step.detail = given, "files found"
        elif toy:
            chosen, step.detail = toy_input(folder.root / "toy"), "toy streams made on the spot"
        else:
            timeline.tell(step, 0, 0, "showers, camera images and raw streams of four telescopes")
            chosen, night = observe_night(folder.root / "night", lambda line: timeline.tell(step, 0, 0, line))
            step.detail = "raw streams of four telescopes, simulated on the spot"
        step.count, step.size_bytes = len(chosen.files), chosen.size_bytes
    return chosen, night


def _whole_way(demo: _Demo, *, keep: bool) -> DemoResult:
    folder = demo.folder
    try:
        _run(demo)
        page = write_page(demo.record, folder.root / "report.html")
        write_atomically(folder.root / "report.json", _as_json(demo.record, demo.refused))
    except BaseException:
        if folder.instance_file.exists():
            stop(folder, report=untold)
        raise
    if not keep:
        stop(folder, report=untold)
    return DemoResult(demo.record, page, demo.refused)


def _run(demo: _Demo) -> None:
    demo.bring_up()
    demo.hand_over()
    raw = demo.ingest()
    demo.preserve("preserve", "Copy to two distant centres", raw)
    if demo.night is not None:
        demo.store_notes(demo.night)
    with open_work_store(demo.folder) as store:
        products = demo.process(store)
        demo.preserve("preserve-products", "Copy the products too", products)
        demo.verify()
        demo.draw()


def _as_json(record: DemoRecord, refused: list[dict[str, str]]) -> str:
    plain = asdict(record) | {"refused": refused, "seconds": record.seconds}
    plain["pictures"] = [{"title": one.title, "caption": one.caption} for one in record.pictures]
    return json.dumps(plain, indent=2, default=str) + "\n"
