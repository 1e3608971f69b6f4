"""``dpps-simpipe service-data``: the folder that readers of raw data look up telescopes in."""

import argparse
from pathlib import Path

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Gets them.
    """
    parser.add_argument("arrays", nargs="+", metavar="ARRAY", help="arrays of the instrument model")
    parser.add_argument("--model", default="", help="version or folder (default: the newest of the package)")
    parser.add_argument("--output", type=Path, required=True, help="folder in which `instrument` is made")


def run(options: argparse.Namespace) -> dict[str, object]:
    """Write the folder.

    Parameters
    ----------
    options : argparse.Namespace
        Of `add_options`.

    Returns
    -------
    dict
        What was written.
    """
    from dpps_simpipe.service_data.writing import write_service_data

    folder = write_service_data(options.arrays, options.output, options.model).resolve()
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "CTAPIPE_SVC_PATH": str(folder),
        "arrays": list(options.arrays) if options.json else ", ".join(options.arrays),
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }
