"""The catalogue's first contents: schema, accounts, scopes, storage elements, distances, quotas.

Everything after the schema happens in one database transaction, and every step looks before it writes:
it can be killed at any instruction and run again any number of times. Runs in the ``rucio`` environment
with ``RUCIO_CONFIG`` set.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dpps.composition.instance import Instance, SiteStorage
from dpps.composition.state import StateFolder
from dpps.domain.errors import Conflict
from dpps.domain.sites import great_circle_km
from dpps.services.rucio_indexes import ensure_indexes
from dpps.services.rucio_policy.decisions import (
    ARCHIVE_WRITER,
    ATTRIBUTES,
    AUDITOR,
    INSPECTOR,
    OPERATOR,
    PRESERVER,
    PUBLISHER,
    TEMPORARY_WRITER,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["ACCOUNTS", "Account", "bootstrap", "distance_km", "site_attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the catalogue, what it is trusted with, and what it owns."""

    name: str
    attributes: frozenset[str] = frozenset()
    """Keys that the policy package knows (`dpps.services.rucio_policy.decisions`)."""
    scopes: tuple[str, ...] = ()
    makes_rules: bool = False
    """Whether it may fill storages: the preservation policy decides how much, not a quota."""


ACCOUNTS = (
    Account(name="root", makes_rules=True),
    Account(
        name="ingest",
        # Simulations that are handed over become products, named as those of a production.
        attributes=frozenset({ARCHIVE_WRITER, PUBLISHER, INSPECTOR}),
        scopes=("acada",),
        makes_rules=True,
    ),
    Account(
        name="production",
        attributes=frozenset({PUBLISHER, TEMPORARY_WRITER, INSPECTOR}),
        scopes=("dpps", "tmp"),
        makes_rules=True,
    ),
    Account(name="preservation", attributes=frozenset({PRESERVER, AUDITOR, INSPECTOR}), makes_rules=True),
    Account(name="operator", attributes=frozenset({OPERATOR, INSPECTOR})),
    Account(name="reader", attributes=frozenset({INSPECTOR})),
)
_ADMINISTRATOR = "root"
"""The only account with every right: for the bootstrap and for emergencies, used by no service."""


def bootstrap(folder: StateFolder, instance: Instance) -> None:
    """Bring the catalogue to the contents that this system needs.

    Raises
    ------
    Conflict
        When the schema belongs to another Rucio version, or a default identity of Rucio's is left.
    """
    from rucio.db.sqla.constants import DatabaseOperationType
    from rucio.db.sqla.session import db_session, get_engine

    _ensure_schema()
    ensure_indexes(get_engine())
    passwords = {account.name: folder.ensure_secret(f"rucio-{account.name}") for account in ACCOUNTS}
    with db_session(DatabaseOperationType.WRITE) as session:
        _ensure_vo(session)
        for account in ACCOUNTS:
            _ensure_account(account, passwords[account.name], session)
        rse_ids = {site.rse: _ensure_rse(site, instance, session) for site in instance.sites}
        _ensure_transfer_address(instance.endpoint("transfers").url, session)
        _ensure_distances(instance.sites, rse_ids, session)
        _ensure_quotas(rse_ids, session)
        _refuse_default_identities(session)


def _ensure_schema() -> None:
    from rucio.alembicrevision import ALEMBIC_REVISION
    from rucio.db.sqla import models
    from rucio.db.sqla.constants import DatabaseOperationType
    from rucio.db.sqla.session import db_session, get_engine
    from sqlalchemy import inspect, select

    engine = get_engine()
    revision = None
    if inspect(engine).has_table(models.AlembicVersion.__tablename__):
        with db_session(DatabaseOperationType.READ) as session:
            revision = session.execute(select(models.AlembicVersion.version_num)).scalar()
    if revision is None:
        models.register_models(engine)
        with db_session(DatabaseOperationType.WRITE) as session:
            session.add(models.AlembicVersion(version_num=ALEMBIC_REVISION))
    elif revision != ALEMBIC_REVISION:
        raise Conflict(
            f"the catalogue has schema {revision}, this Rucio wants {ALEMBIC_REVISION}",
            code="catalogue-schema",
            next_step="back the database up, then run in the rucio environment: "
            "alembic -c <state>/config/alembic.ini upgrade head",
        )


def _ensure_vo(session: Session) -> None:
    from rucio.common.constants import DEFAULT_VO
    from rucio.core.vo import vo_exists
    from rucio.db.sqla import models

    if not vo_exists(vo=DEFAULT_VO, session=session):
        session.add(models.VO(vo=DEFAULT_VO, description="Base VO", email="N/A"))
        session.flush()


def _ensure_account(account: Account, password: str, session: Session) -> None:
    from rucio.common.types import InternalAccount, InternalScope
    from rucio.core.account import account_exists, add_account
    from rucio.core.scope import add_scope, check_scope
    from rucio.db.sqla.constants import AccountType

    who = InternalAccount(account.name)
    if not account_exists(who, session=session):
        add_account(who, AccountType.SERVICE, f"{account.name}@localhost", session=session)
    _ensure_password(account.name, password, session)
    _ensure_attributes(account, session)
    for scope in map(InternalScope, account.scopes):
        if not check_scope(scope, session=session):
            add_scope(scope, who, session=session)


def _ensure_attributes(account: Account, session: Session) -> None:
    """Give the account what it is trusted with, and take what it was trusted with before."""
    from rucio.common.types import InternalAccount
    from rucio.core.account import add_account_attribute, del_account_attribute, list_account_attributes

    who = InternalAccount(account.name)
    wanted = account.attributes | ({"admin"} if account.name == _ADMINISTRATOR else set())
    present = {one["key"] for one in list_account_attributes(who, session=session)}
    for key in sorted(wanted - present):
        add_account_attribute(who, key, True, session=session)
    for key in sorted((present - wanted) & (ATTRIBUTES | {"admin"})):
        del_account_attribute(who, key, session=session)


def _ensure_password(name: str, password: str, session: Session) -> None:
    """Let the user of that name, and nobody else, act under the account of that name."""
    from rucio.common.exception import IdentityNotFound
    from rucio.common.types import InternalAccount
    from rucio.core.identity import (
        add_account_identity,
        add_identity,
        exist_identity_account,
        verify_identity,
    )
    from rucio.db.sqla import models
    from rucio.db.sqla.constants import IdentityType
    from sqlalchemy import select

    userpass, email, who = IdentityType.USERPASS, f"{name}@localhost", InternalAccount(name)
    known = session.scalars(select(models.Identity).filter_by(identity=name, identity_type=userpass)).first()
    if known is None:
        add_identity(name, userpass, email, password, session=session)
    else:
        try:
            verify_identity(name, userpass, password, session=session)
        except IdentityNotFound:  # Rucio's word for a wrong password: the secret was renewed
            known.salt = os.urandom(32)
            known.password = hashlib.sha256(known.salt + password.encode()).hexdigest()
            session.flush()
    if not exist_identity_account(name, userpass, who, session=session):
        add_account_identity(name, userpass, who, email, default=True, session=session)


def _refuse_default_identities(session: Session) -> None:
    """Make sure that none of the strangers whom Rucio knows by default can become root."""
    from rucio.db.sqla import models
    from sqlalchemy import select

    strangers = session.scalars(
        select(models.Identity.identity).where(models.Identity.identity.ilike("%ddmlab%"))
    ).all()
    if strangers:
        raise Conflict(
            f"the catalogue lets {len(strangers)} default identities of Rucio act as root",
            code="default-identity",
            next_step="delete the identities that contain 'ddmlab' with: rucio account identity remove",
        )


def site_attributes(site: SiteStorage, transfers_url: str) -> dict[str, str | bool]:
    """Return the attributes by which rules and policies find a storage element."""
    return {
        ("ONSITE" if site.onsite else "OFFSITE"): True,
        "site": site.rse,
        "country": site.country,
        "latitude": str(site.latitude_deg),
        "longitude": str(site.longitude_deg),
        "fts": transfers_url,
        # What no rule holds any more goes off site. An on-site copy may be the only one: it goes when it
        # is released, with proof of the others, and not because some rule on it has ended.
        "greedyDeletion": not site.onsite,
        "lfn2pfn_algorithm": "ctao_bdms",
    }


def _ensure_rse(site: SiteStorage, instance: Instance, session: Session) -> str:
    from rucio.core.rse import (
        add_rse,
        add_rse_attribute,
        get_rse_id,
        list_rse_attributes,
        rse_exists,
    )

    if not rse_exists(site.rse, session=session):
        add_rse(
            site.rse, latitude=site.latitude_deg, longitude=site.longitude_deg,
            country_name=site.country, session=session,
        )  # fmt: skip
    rse_id: str = get_rse_id(site.rse, session=session)
    present = list_rse_attributes(rse_id, session=session)
    for key, value in site_attributes(site, instance.endpoint("transfers").url).items():
        if present.get(key) != value:
            add_rse_attribute(rse_id, key, value, session=session)
    for protocol in site_protocols(site.url_prefix):
        _ensure_protocol(rse_id, protocol, session)
    return rse_id


def _ensure_transfer_address(url: str, session: Session) -> None:
    """Let transfers that were submitted to the service by its former, unencrypted address be followed on."""
    from rucio.db.sqla import models
    from sqlalchemy import update

    scheme, _, address = url.partition("://")
    if scheme == "https":
        table = models.Request
        former = update(table).where(table.external_host == f"http://{address}")
        session.execute(former.values(external_host=url))


def _ensure_protocol(rse_id: str, protocol: dict[str, object], session: Session) -> None:
    """Make a way to a storage, or bring its address up to date."""
    from rucio.core.rse import add_protocol
    from rucio.db.sqla import models
    from sqlalchemy import select

    known = session.scalars(
        select(models.RSEProtocol).filter_by(rse_id=rse_id, scheme=protocol["scheme"])
    ).first()
    if known is None:
        add_protocol(rse_id, protocol, session=session)
        return
    for key in ("hostname", "port", "prefix"):
        if getattr(known, key) != protocol[key]:
            setattr(known, key, protocol[key])
    session.flush()


def site_protocols(url_prefix: str) -> list[dict[str, object]]:
    """Return the ways to a site's storage, as Rucio writes them.

    A folder has one. A server has three: HTTPS for everything but deletion; ``root://`` to read and write
    where HTTPS fails; and, for deletion, ours, since Rucio's own takes XRootD's answer 200 for an error.
    """
    address = urlsplit(url_prefix)
    place = {"hostname": address.hostname or "", "port": address.port or 0, "prefix": address.path or "/"}
    if address.scheme == "file":
        implementation = "rucio.rse.protocols.posix.Default"
        return [{"scheme": "file", **place, "impl": implementation, "domains": _domains(1, delete=1)}]
    return [
        {"scheme": "https", **place, "impl": "rucio.rse.protocols.webdav.Default", "domains": _domains(1)},
        {"scheme": "root", **place, "impl": "rucio.rse.protocols.xrootd.Default", "domains": _domains(2)},
        {
            "scheme": "davs", **place, "impl": "dpps.services.rucio_deletion.Default",
            "domains": _domains(None, delete=1),
        },
    ]  # fmt: skip


def _domains(priority: int | None, *, delete: int | None = None) -> dict[str, dict[str, int | None]]:
    """Return the priorities of one way: the lowest comes first, None means never."""
    local = {"read": priority, "write": priority, "delete": delete}
    third_party = {"third_party_copy_read": priority, "third_party_copy_write": priority}
    return {"lan": local, "wan": {**local, **third_party}}


def _ensure_distances(sites: tuple[SiteStorage, ...], rse_ids: Mapping[str, str], session: Session) -> None:
    """Both ways between all pairs: without a distance Rucio refuses to transfer."""
    from rucio.core.distance import add_distance
    from rucio.db.sqla import models
    from sqlalchemy import select

    present = set(
        session.execute(select(models.Distance.src_rse_id, models.Distance.dest_rse_id)).tuples().all()
    )
    for source, destination in permutations(sites, 2):
        pair = (rse_ids[source.rse], rse_ids[destination.rse])
        if pair not in present:
            add_distance(
                *pair, distance=max(1, round(distance_km(source, destination) / 100)), session=session
            )


def distance_km(one: SiteStorage, other: SiteStorage) -> float:
    """Return the great-circle distance of two sites."""
    return great_circle_km((one.latitude_deg, one.longitude_deg), (other.latitude_deg, other.longitude_deg))


def _ensure_quotas(rse_ids: Mapping[str, str], session: Session) -> None:
    """Accounts that make rules may fill every storage."""
    from rucio.common.types import InternalAccount
    from rucio.core.account_limit import set_local_account_limit
    from rucio.db.sqla import models
    from sqlalchemy import select

    limits = models.AccountLimit
    present = set(session.execute(select(limits.account, limits.rse_id)).tuples().all())
    for account in ACCOUNTS:
        if not account.makes_rules:
            continue
        who = InternalAccount(account.name)
        for rse_id in rse_ids.values():
            if (who, rse_id) not in present:
                set_local_account_limit(who, rse_id, -1, session=session)
