"""The catalogue's client never writes between the answers of a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpps.adapters.rucio.connection import RucioAccount, connect
from dpps.domain.errors import DppsError


def test_a_token_that_cannot_be_kept_is_not_told_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = tmp_path / "rucio.cfg"
    configuration.write_text("[client]\nrequest_retries = 1\n")
    monkeypatch.setenv("RUCIO_CONFIG", str(configuration))
    account = RucioAccount(
        url="http://127.0.0.1:9",
        name="reader",
        password="-",
        configuration=configuration,
        tokens=tmp_path / "tokens",
    )
    with pytest.raises(DppsError):
        connect(account)
    from rucio.client import baseclient

    client = object.__new__(baseclient.BaseClient)
    vars(client).update(token_path=str(tmp_path), token_file="/dev/null/token", auth_token="-")
    client._BaseClient__write_token()
    assert capsys.readouterr().out == ""
