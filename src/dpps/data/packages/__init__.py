"""OAIS information packages as BagIt bags (RFC 8493): made, verified, imported elsewhere.

A package holds the bytes below ``data/`` under their logical names, one JSON file of metadata each below
``metadata/``, the lineage in ``provenance.json``, and manifests with SHA-256 and, as the catalogue keeps it,
Adler-32. What it is for is its kind (`PackageKind`).
"""

from dpps.data.packages.exporting import ExportParts, ExportSettings, export_package
from dpps.data.packages.importing import ImportedFile, ImportParts, import_package
from dpps.data.packages.records import ExportedPackage, PackageKind, Profile, VerifiedPackage
from dpps.data.packages.verifying import verify_package

__all__ = [
    "ExportParts",
    "ExportSettings",
    "ExportedPackage",
    "ImportParts",
    "ImportedFile",
    "PackageKind",
    "Profile",
    "VerifiedPackage",
    "export_package",
    "import_package",
    "verify_package",
]
