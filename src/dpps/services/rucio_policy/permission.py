"""What Rucio's server asks, put into the words of `decisions`.

Rucio tells a policy the arguments of a call, but not the files of calls that add, change or release copies:
for these the body of the request is read, which Rucio reads after us.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dpps.services.rucio_policy.decisions import Asker, RuleFacts, Wish, decide

if TYPE_CHECKING:
    from rucio.common.types import InternalAccount
    from sqlalchemy.orm import Session

__all__ = ["has_permission"]

_FILES_IN_BODY = {"add_replicas": "files", "update_replicas_states": "files", "set_tombstone": "replicas"}
_RULE_CALLS = frozenset({"del_rule", "update_rule", "reduce_rule", "move_rule"})


def has_permission(
    issuer: InternalAccount, action: str, kwargs: dict[str, Any], *, session: Session
) -> bool | None:
    """Tell whether an account may; None leaves the decision to Rucio's generic policy.

    Parameters
    ----------
    issuer : InternalAccount
        Who asks.
    action : str
        Rucio's word for the call.
    kwargs : dict
        Arguments of the call.
    session : Session
        Session of the catalogue's database.
    """
    asker = Asker(account=issuer.external, attributes=_attributes(issuer, session))
    return decide(asker, _wish(action, kwargs, session))


def _attributes(issuer: InternalAccount, session: Session) -> frozenset[str]:
    """Return the account's attributes; a session lives for one request, and bulk calls ask for each file."""
    from rucio.db.sqla import models
    from sqlalchemy import select

    known: dict[str, frozenset[str]] = session.info.setdefault("dpps-attributes", {})
    if issuer.internal not in known:
        table = models.AccountAttrAssociation
        query = select(table.key).where(table.account == issuer)
        known[issuer.internal] = frozenset(session.execute(query).scalars())
    return known[issuer.internal]


def _wish(action: str, kwargs: Mapping[str, Any], session: Session) -> Wish:
    if action in _FILES_IN_BODY:
        return Wish(action=action, scopes=_scopes(_body().get(_FILES_IN_BODY[action])))
    if action in _RULE_CALLS:
        options = kwargs.get("options") or {}
        return Wish(
            action=action,
            keys=frozenset(options),
            endless="lifetime" in options and options["lifetime"] is None,
            rule=_rule(kwargs.get("rule_id"), session),
        )
    if action == "add_rule":
        return Wish(
            action=action,
            scopes=_scopes(kwargs.get("dids")),
            accounts=(_name(kwargs.get("account")),),
            locked=bool(kwargs.get("locked")),
            endless=kwargs.get("lifetime") is None,
            purges=bool(kwargs.get("purge_replicas")),
        )
    named = kwargs.get("dids") if action == "add_dids" else [kwargs]
    return _naming_wish(action, kwargs, [one for one in named or [] if isinstance(one, Mapping)])


def _naming_wish(action: str, kwargs: Mapping[str, Any], named: list[Mapping[str, Any]]) -> Wish:
    """Return the wish of a call that makes, fills or describes names."""
    parents = kwargs.get("attachments", ())
    members = [kwargs.get("attachment") or {}, *parents]
    rules = [rule for one in named for rule in one.get("rules") or ()]
    keys = {str(key) for one in named for key in one.get("meta") or ()}
    if "key" in kwargs:
        keys.add(str(kwargs["key"]))
    if any(one.get("lifetime") is not None for one in named):
        keys.add("lifetime")
    return Wish(
        action=action,
        scopes=(
            *_scopes(one for one in named if "scope" in one),
            *_scopes(parents),
            *(scope for parent in members for scope in _scopes(parent.get("dids"))),
        ),
        accounts=tuple(_name(rule.get("account")) for rule in rules),
        keys=frozenset(keys),
    )


def _scopes(named: Iterable[Any] | None) -> tuple[str, ...]:
    """Return the scopes of things, each once; a thing without one has the scope '', which is nobody's."""
    found = (one.get("scope", "") if isinstance(one, Mapping) else "" for one in named or ())
    return tuple(dict.fromkeys(map(_name, found)))


def _name(value: Any) -> str:
    """Return the name of an account or scope, which Rucio gives as text or as an object."""
    return str(getattr(value, "external", value))


def _body() -> Mapping[str, Any]:
    import flask  # type: ignore[import-not-found]  # it is in the environment of the server only

    if not flask.has_request_context():
        return {}
    body = flask.request.get_json(force=True, silent=True)
    return body if isinstance(body, Mapping) else {}


def _rule(rule_id: object, session: Session) -> RuleFacts | None:
    from rucio.db.sqla import models
    from sqlalchemy import select
    from sqlalchemy.exc import DataError, StatementError

    table = models.ReplicationRule
    try:
        found = session.execute(select(table.scope, table.account).where(table.id == rule_id)).first()
    except (DataError, StatementError):  # no identifier of a rule: Rucio itself will say so
        return None
    return None if found is None else RuleFacts(scope=found.scope.external, account=found.account.external)
