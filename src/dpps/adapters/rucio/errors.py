"""What each error of Rucio means to us: one table, whose completeness a test checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from dpps.domain.errors import (
    Conflict,
    DamagedFile,
    DppsError,
    InvalidInput,
    NotAuthorized,
    NotFound,
    StorageFull,
    Unavailable,
)

__all__ = ["MEANINGS", "catalogue_errors", "mapped"]

_CONFIGURATION = (
    "ClientParameterMismatch ClientProtocolNotFound ClientProtocolNotSupported ConfigLoadingError "
    "ConfigNotFound ConfigurationError ConnectionParameterNotFound DeprecationError "
    "ErrorLoadingCredentials ErrorLoadingPolicyPackage InvalidAlgorithmName "
    "InvalidPolicyPackageAlgorithmType MissingClientParameter MissingDependency "
    "MissingModuleException NoAuthInformation PolicyPackageBaseException PolicyPackageIsNotVersioned "
    "PolicyPackageNotFound PolicyPackageVersionError UndefinedPolicy UnsupportedMetadataPlugin "
    "VONotFound"
)
_INVALID = (
    "DIDError DIDFilterSyntaxError DuplicateCriteriaInDIDFilter FilterEngineGenericError "
    "InputValidationError InsufficientTargetRSEs InvalidAccountType InvalidMetadata InvalidObject "
    "InvalidPath InvalidRSEExpression InvalidReplicationRule InvalidRequest InvalidRuleWeight "
    "InvalidSourceReplicaExpression InvalidType InvalidValueForKey KeyNotFound "
    "MetadataSchemaMismatchError MetalinkJsonParsingError NameTypeError OpenDataInvalidState "
    "OpenDataInvalidStateUpdate RSEFileNameNotSupported RSEOperationNotSupported "
    "RSEProtocolDomainNotSupported RSEProtocolNotSupported RSEProtocolPriorityError ScopeNotFound "
    "SortingAlgorithmNotSupported StagingAreaRuleRequiresLifetime SubscriptionWrongParameter "
    "TraceValidationSchemaNotFound UnsupportedAccountName UnsupportedDIDType UnsupportedKeyType "
    "UnsupportedOperation UnsupportedRequestedContentType UnsupportedStatus UnsupportedValueType"
)
_ABSENT = (
    "AccountNotFound CounterNotFound DataIdentifierNotFound IdentityNotFound "
    "LifetimeExceptionNotFound MissingSourceReplica NoDistance OpenDataDataIdentifierNotFound "
    "RSEAttributeNotFound RSENotFound ReplicaNotFound RequestNotFound RuleNotFound SourceNotFound "
    "SubscriptionNotFound"
)
_TAKEN = (
    "DataIdentifierAlreadyExists Duplicate DuplicateContent DuplicateFileTransferSubmission "
    "DuplicateRule FileAlreadyExists FileConsistencyMismatch FileReplicaAlreadyExists "
    "LifetimeExceptionDuplicate ManualRuleApprovalBlocked OpenDataDataIdentifierAlreadyExists "
    "OpenDataDuplicateDOI OpenDataDuplicateRecordID ReplicaIsLocked RuleReplaceFailed "
    "ScratchDiskLifetimeConflict SubscriptionDuplicate"
)
_FORBIDDEN = (
    "AccessDenied CannotAuthenticate CannotAuthorize IdentityError RSEAccessDenied ScopeAccessDenied "
    "SourceAccessDenied"
)
_DAMAGED = "ChecksumCalculationError NoFilesDownloaded NotAllFilesDownloaded RSEChecksumUnavailable"
_FULL = "FullStorage InsufficientAccountLimit RSEOverQuota"
_DOWN = (
    "DatabaseException DestinationNotAccessible NoFilesUploaded NotAllFilesUploaded OpenDataError "
    "RSENotConnected RSEWriteBlocked ReplicaUnAvailable ReplicationRuleCreationTemporaryFailed "
    "ResourceTemporaryUnavailable RucioException ServerConnectionException ServiceUnavailable "
    "TransferToolTimeout TransferToolWrongAnswer"
)

_NEXT_STEPS: Final[Mapping[type[DppsError], str]] = {
    InvalidInput: "check names and values; storages and scopes are listed by: dpps status",
    NotFound: "list what is there: dpps data ls",
    Conflict: "look at what is there: dpps data info",
    NotAuthorized: "use an account of the catalogue that may do this",
    DamagedFile: "look at the file's copies: dpps data info",
    StorageFull: "raise the account's quota at that storage, or free room",
    Unavailable: "see whether the catalogue is well: dpps status; dpps logs rucio-server",
}

MEANINGS: Final[Mapping[str, type[DppsError]]] = {
    name: kind
    for kind, names in (
        (InvalidInput, _CONFIGURATION),
        (InvalidInput, _INVALID),
        (NotFound, _ABSENT),
        (Conflict, _TAKEN),
        (NotAuthorized, _FORBIDDEN),
        (DamagedFile, _DAMAGED),
        (StorageFull, _FULL),
        (Unavailable, _DOWN),
    )
    for name in names.split()
}
"""Our error for each class of ``rucio.common.exception``, by name."""


def mapped(error: Exception, what: str) -> DppsError:
    """Return our error for one of Rucio's.

    Parameters
    ----------
    error : Exception
        An exception of ``rucio.common.exception``.
    what : str
        What was attempted, e.g. ``"register 3 files"``.
    """
    name = type(error).__name__
    kind = MEANINGS.get(name, Unavailable)
    return kind(
        f"the catalogue could not {what}: {error}",
        code=f"catalogue-{kind.default_code}",
        next_step=_NEXT_STEPS[kind],
        rucio=name,
    )


@contextmanager
def catalogue_errors(what: str) -> Iterator[None]:
    """Raise our errors for Rucio's, and for those of the connection, that happen inside."""
    import requests
    import urllib3
    from rucio.common.exception import RucioException

    try:
        yield
    except RucioException as error:
        raise mapped(error, what) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise Unavailable(
            f"the catalogue did not answer when asked to {what}: {error}",
            code="catalogue-unavailable",
            next_step=_NEXT_STEPS[Unavailable],
        ) from error
