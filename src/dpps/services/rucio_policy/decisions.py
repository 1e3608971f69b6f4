"""Who may do what in the catalogue: pure decisions on account attributes and scopes.

An account carries attributes; nobody but ``root`` is an administrator. Three scopes are protected: the
archive scope of the telescopes' data, the scope of products, and the temporary one. Of everything that is
not said here, Rucio's generic policy decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "ARCHIVE_WRITER",
    "ATTRIBUTES",
    "AUDITOR",
    "INSPECTOR",
    "OPERATOR",
    "PRESERVER",
    "PUBLISHER",
    "TEMPORARY_SCOPE",
    "TEMPORARY_WRITER",
    "WRITERS",
    "Asker",
    "RuleFacts",
    "Wish",
    "decide",
]

ARCHIVE_WRITER: Final = "archive-writer"
"""Registers files of the telescopes, with metadata, datasets and rules."""
PUBLISHER: Final = "publisher"
"""Registers products."""
TEMPORARY_WRITER: Final = "temporary-writer"
"""Registers temporary files, all with a lifetime, and removes them."""
PRESERVER: Final = "preserver"
"""Releases copies, makes and ends rules."""
AUDITOR: Final = "auditor"
"""Declares copies damaged or suspicious."""
OPERATOR: Final = "operator"
"""Changes storages: attributes, availability, distances, limits."""
INSPECTOR: Final = "inspector"
"""Reads transfer requests and their history."""
ATTRIBUTES: Final = frozenset(
    {ARCHIVE_WRITER, PUBLISHER, TEMPORARY_WRITER, PRESERVER, AUDITOR, OPERATOR, INSPECTOR}
)

TEMPORARY_SCOPE: Final = "tmp"
WRITERS: Final[Mapping[str, str]] = MappingProxyType(
    {"acada": ARCHIVE_WRITER, "dpps": PUBLISHER, TEMPORARY_SCOPE: TEMPORARY_WRITER}
)
"""The attribute that each protected scope asks for."""

_ROOT = "root"
_OF_CONTENT = frozenset({"bytes", "adler32", "md5", "account", "suppressed", "availability", "obsolete"})
"""Keys that say what a file is: changing them would make good copies look bad and bad ones good."""
_OF_LIFE = frozenset({"lifetime", "expired_at", "eol_at"})
"""Keys by which a file is deleted one day."""
_OF_KEPT_RULES = frozenset({"meta", "comment", "priority", "source_replica_expression", "lifetime"})
"""What the owner of a rule elsewhere may change of it; of the lifetime it may take away the end only."""
_OF_TEMPORARY_RULES = frozenset({"lifetime", "comment", "purge_replicas", "cancel_requests"})
"""What the owner of a rule in the temporary scope may change of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The account that asks."""

    account: str
    attributes: frozenset[str]

    def may_write(self, scope: str) -> bool:
        """Tell whether a protected scope is open to the account."""
        return WRITERS.get(scope, "") in self.attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """An existing replication rule."""

    scope: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an account asks for, as far as it matters here."""

    action: str
    """Rucio's word for it."""
    scopes: tuple[str, ...] = ()
    """Scopes of the things to be made or changed."""
    accounts: tuple[str, ...] = ()
    """Accounts that rules are made for."""
    keys: frozenset[str] = frozenset()
    """Keys of metadata or of a rule that are set."""
    locked: bool = False
    """Whether a rule is made that nobody may remove."""
    endless: bool = False
    """Whether something is made to stay without limit of time."""
    purges: bool = False
    """Whether a rule is made that has its copies deleted at its end."""
    rule: RuleFacts | None = None
    """The rule to be changed, where it exists."""


def decide(asker: Asker, wish: Wish) -> bool | None:
    """Return whether the account may; None leaves it to Rucio's generic policy.

    Parameters
    ----------
    asker : Asker
        Who.
    wish : Wish
        What.
    """
    if asker.account == _ROOT:
        return True
    decision = _DECISIONS.get(wish.action)
    return None if decision is None else decision(asker, wish)


def _write(asker: Asker, wish: Wish) -> bool | None:
    """All protected scopes must be open; scopes of others are the generic policy's."""
    protected = [scope for scope in wish.scopes if scope in WRITERS]
    if not all(asker.may_write(scope) for scope in protected):
        return False
    if any(account != asker.account for account in wish.accounts):
        return False
    return True if protected and len(protected) == len(wish.scopes) else None


def _add_names(asker: Asker, wish: Wish) -> bool | None:
    kept = any(scope in WRITERS and scope != TEMPORARY_SCOPE for scope in wish.scopes)
    if kept and wish.keys & _OF_LIFE:
        return False  # what is kept for ever gets no date of deletion
    return _write(asker, wish)


def _add_copies(asker: Asker, wish: Wish) -> bool | None:
    # The request names storage and files; without the files nobody can tell the scopes.
    return _write(asker, wish) if wish.scopes else False


def _set_metadata(asker: Asker, wish: Wish) -> bool | None:
    if any(scope in WRITERS for scope in wish.scopes):
        frozen = _OF_CONTENT if set(wish.scopes) <= {TEMPORARY_SCOPE} else _OF_CONTENT | _OF_LIFE
        if wish.keys & frozen:
            return False
    return _write(asker, wish)


def _detach(asker: Asker, wish: Wish) -> bool | None:
    """Whoever detaches a file takes its rule away: in the archive that is the preserver's."""
    if any(scope in WRITERS and scope != TEMPORARY_SCOPE for scope in wish.scopes):
        return PRESERVER in asker.attributes
    return _write(asker, wish)


def _add_rule(asker: Asker, wish: Wish) -> bool | None:
    # Copies of the archive go when they are released, and the end of a rule is no release.
    if wish.purges and any(scope in WRITERS and scope != TEMPORARY_SCOPE for scope in wish.scopes):
        return False
    if PRESERVER in asker.attributes:
        return True
    if wish.locked:
        return False
    if wish.endless and TEMPORARY_SCOPE in wish.scopes:
        return False
    return _write(asker, wish)


def _change_rule(asker: Asker, wish: Wish) -> bool | None:
    if PRESERVER in asker.attributes:
        return True
    if wish.rule is None or wish.rule.scope not in WRITERS:
        return None
    if wish.rule.account != asker.account or not asker.may_write(wish.rule.scope):
        return False
    if wish.rule.scope == TEMPORARY_SCOPE:
        return not wish.endless and wish.keys <= _OF_TEMPORARY_RULES
    # Whoever publishes may confirm the rule that it made; weakening it is the preserver's.
    ends_earlier = "lifetime" in wish.keys and not wish.endless
    return wish.action == "update_rule" and wish.keys <= _OF_KEPT_RULES and not ends_earlier


def _release(asker: Asker, wish: Wish) -> bool:
    if PRESERVER in asker.attributes:
        return True
    return set(wish.scopes) == {TEMPORARY_SCOPE} and asker.may_write(TEMPORARY_SCOPE)


def _holders(*attributes: str) -> Callable[[Asker, Wish], bool | None]:
    def decision(asker: Asker, _wish: Wish) -> bool | None:
        return True if asker.attributes.intersection(attributes) else None

    return decision


def _make_scope(asker: Asker, wish: Wish) -> bool | None:
    """Whoever writes a scope may make it, which exists.

    The published ingest client makes its scope before every file, and goes on when it is told that it exists.
    """
    return True if wish.scopes and all(asker.may_write(scope) for scope in wish.scopes) else None


def _auditor(asker: Asker, _wish: Wish) -> bool:
    return AUDITOR in asker.attributes


_DECISIONS: Mapping[str, Callable[[Asker, Wish], bool | None]] = {
    **dict.fromkeys(("add_did", "add_dids"), _add_names),
    **dict.fromkeys(("attach_dids", "attach_dids_to_dids", "set_status", "create_did_sample"), _write),
    **dict.fromkeys(("add_replicas", "update_replicas_states"), _add_copies),
    **dict.fromkeys(("set_metadata", "set_metadata_bulk"), _set_metadata),
    **dict.fromkeys(("del_rule", "update_rule", "reduce_rule", "move_rule"), _change_rule),
    **dict.fromkeys(
        ("declare_bad_file_replicas", "declare_suspicious_file_replicas", "add_bad_pfns"), _auditor
    ),
    **dict.fromkeys(
        (
            "update_rse",
            "add_rse_attribute",
            "del_rse_attribute",
            "add_distance",
            "update_distance",
            "delete_distance",
            "set_rse_limits",
            "delete_rse_limits",
            "set_rse_usage",
            "set_transfer_limit",
            "delete_transfer_limit",
        ),
        _holders(OPERATOR),
    ),
    **dict.fromkeys(
        ("list_requests", "list_requests_history", "get_request_history_by_did", "list_transfer_limits"),
        _holders(INSPECTOR, OPERATOR, PRESERVER, AUDITOR),
    ),
    "add_scope": _make_scope,
    "detach_dids": _detach,
    "add_rule": _add_rule,
    "set_tombstone": _release,
}
