"""Publishing products that were written to temporary names: the idempotent step of the outbox.

Order (ADR 0005): verify the bytes, move to the final name, register with metadata, ensure the replication
rule, attach last. Readers see attached files only. A process killed between any two steps leaves nothing
that a repeated call does not finish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dpps.data.policy import PreservationPolicy, plan_rules
from dpps.data.ports import (
    Catalogue,
    Registration,
    RegistrationOutcome,
    ReplicationRule,
    Storage,
    StorageElement,
)
from dpps.domain.errors import Conflict, DamagedFile, DppsError, InvalidInput, Unavailable
from dpps.domain.files import ArchivedFile, FileContent, MetadataValue
from dpps.domain.names import Lfn
from dpps.domain.principals import Action, Principal, authorize

__all__ = ["ProductToPublish", "enter_and_attach", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductToPublish:
    """A complete product under a temporary name at one storage."""

    temporary_url: str
    lfn: Lfn
    rse: str
    """The storage that holds the temporary name, and will hold the final one."""
    content: FileContent
    """What the job says it wrote; checked against the storage."""
    metadata: Mapping[str, MetadataValue]
    dataset: str
    """Name of the dataset: the folder of the LFN."""


def publish(
    principal: Principal,
    catalogue: Catalogue,
    storage: Storage,
    policy: PreservationPolicy,
    products: Sequence[ProductToPublish],
) -> list[RegistrationOutcome]:
    """Publish products, and say what became of each, in the order given.

    A product whose name already holds the same content is finished, not repeated (``created`` is False);
    one whose name holds other content gets a `Conflict`; one whose bytes are not what the job said gets a
    `DamagedFile`. The others of the call are not affected.

    Raises
    ------
    NotAuthorized
        When the principal may not publish.
    Unavailable
        When the catalogue or a storage does not answer; repeating the call finishes the work.
    """
    for product in products:
        authorize(principal, Action.PUBLISH, product.lfn.name)
    prefixes = {element.rse: element.url_prefix for element in catalogue.storage_elements()}
    known = catalogue.files([product.lfn for product in products])
    outcomes: list[RegistrationOutcome | None] = []
    for product, file in zip(products, known, strict=True):
        try:
            outcomes.append(_place(product, file, prefixes, storage))
        except DppsError as error:
            if error.retryable:
                raise
            outcomes.append(RegistrationOutcome(lfn=product.lfn, created=False, error=error))
    placed = [product for product, outcome in zip(products, outcomes, strict=True) if outcome is None]
    entered = iter(enter_and_attach(catalogue, policy, [_registration(product) for product in placed]))
    return [next(entered) if outcome is None else outcome for outcome in outcomes]


def _registration(product: ProductToPublish) -> Registration:
    return Registration(
        lfn=product.lfn,
        rse=product.rse,
        content=product.content,
        metadata=product.metadata,
        dataset=product.dataset,
    )


def enter_and_attach(
    catalogue: Catalogue,
    policy: PreservationPolicy,
    registrations: Sequence[Registration],
    *,
    elements: Sequence[StorageElement] | None = None,
    ensured: set[ReplicationRule] | None = None,
) -> list[RegistrationOutcome]:
    """Register files that lie verified at their final place, ensure their rules, and attach them last.

    Not for files that are attached already: their copy at that place may have been freed.

    Parameters
    ----------
    catalogue, policy
        The archive and its rules.
    registrations : sequence of Registration
        The files.
    elements : sequence of StorageElement, optional
        The storages, for callers who have just read them.
    ensured : set of ReplicationRule, optional
        Rules that the caller's earlier calls ensured a moment ago; gets those of this call.

    Returns
    -------
    list of RegistrationOutcome
        In the order given. What the catalogue refuses for one file or dataset is the answer for its files
        alone; they may be registered, and are not attached.

    Raises
    ------
    Unavailable
        When the catalogue does not answer; the same call again goes on from there.
    """
    if not registrations:
        return []
    outcomes = catalogue.register(registrations)
    known = elements if elements is not None else catalogue.storage_elements()
    done = ensured if ensured is not None else set()
    good = [r for r, outcome in zip(registrations, outcomes, strict=True) if outcome.error is None]
    refused: dict[str, DppsError] = {}
    for dataset in _in_order(registration.dataset for registration in good):
        members = [registration for registration in good if registration.dataset == dataset]
        kinds = _in_order(policy.kind_of(member.metadata) for member in members)
        rules = [rule for kind in kinds for rule in plan_rules(policy, kind, dataset, known)]
        try:
            _ensure_and_attach(catalogue, dataset, members, [rule for rule in rules if rule not in done])
        except Unavailable:
            raise  # not of this dataset: the others would fare no better
        except DppsError as error:
            refused[dataset] = error
        else:
            done.update(rules)
    return [
        replace(outcome, error=refused[registration.dataset], created=False)
        if outcome.error is None and registration.dataset in refused
        else outcome
        for registration, outcome in zip(registrations, outcomes, strict=True)
    ]


def _ensure_and_attach(
    catalogue: Catalogue, dataset: str, members: Sequence[Registration], rules: Sequence[ReplicationRule]
) -> None:
    for rule in rules:
        catalogue.ensure_rule(rule)
    catalogue.attach(dataset, [member.lfn for member in members])


def _in_order[T](items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))


def _place(
    product: ProductToPublish, known: ArchivedFile | None, prefixes: Mapping[str, str], storage: Storage
) -> RegistrationOutcome | None:
    """Bring the bytes to their final name and verify them; an outcome when nothing is left to do."""
    if product.rse not in prefixes:
        raise InvalidInput(
            f"the catalogue knows no storage {product.rse!r}",
            code="rse-unknown",
            next_step="list the storages with: dpps site list",
            rse=product.rse,
        )
    if known is not None and known.content != product.content:
        raise _taken(product)
    if known is not None and known.dataset is not None:
        # Attaching is the last step: all is done, and this copy may have been freed since.
        storage.delete(product.temporary_url)
        return RegistrationOutcome(lfn=product.lfn, created=False)
    final_url = prefixes[product.rse] + product.lfn.name
    if storage.size_bytes(final_url) is None:
        # Before the move: damaged bytes under the final name would take it from the next attempt.
        found = storage.read_back(product.temporary_url)
        if found != product.content:
            raise _damaged(product, found)
        storage.rename(product.temporary_url, final_url)
    elif storage.read_back(final_url) != product.content:
        raise _taken(product)
    else:
        storage.delete(product.temporary_url)  # killed before, between the two halves of a move
    return None


def _taken(product: ProductToPublish) -> Conflict:
    return Conflict(
        f"{product.lfn} exists with other content",
        code="lfn-taken",
        next_step="publish under a new pass number; a name is never reused",
        lfn=product.lfn,
        temporary_url=product.temporary_url,
    )


def _damaged(product: ProductToPublish, found: FileContent) -> DamagedFile:
    return DamagedFile(
        f"{product.lfn}: {product.rse} holds {found.size_bytes} bytes with adler32 {found.adler32}, the job "
        f"wrote {product.content.size_bytes} bytes with adler32 {product.content.adler32}",
        code="product-damaged",
        next_step="run the task again",
        lfn=product.lfn,
        rse=product.rse,
    )
