"""Kept machine code belongs to the sources it was made from."""

from pathlib import Path

from dpps_simpipe.compiled import compiled, forget_stale_code


def test_code_of_changed_sources_is_forgotten(tmp_path: Path) -> None:
    source = tmp_path / "part" / "one.py"
    kept = source.parent / "__pycache__" / "one.f-1.py312.nbi"
    kept.parent.mkdir(parents=True)
    source.write_text("x = 1\n", encoding="utf-8")
    assert forget_stale_code(tmp_path)
    kept.write_bytes(b"machine code")
    assert not forget_stale_code(tmp_path)
    assert kept.exists()
    source.write_text("x = 2\n", encoding="utf-8")
    assert forget_stale_code(tmp_path)
    assert not kept.exists()


def test_compiled_functions_compute() -> None:
    @compiled
    def doubled(value: float) -> float:
        return 2.0 * value

    assert doubled(1.5) == 3.0
