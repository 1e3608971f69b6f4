"""Profiles, their checks, and extinction."""

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from dpps_simpipe.atmosphere import (
    BUILT_IN,
    Aerosol,
    Atmosphere,
    built_in_atmosphere,
    read_atmosphere,
    transmission,
)
from dpps_simpipe.atmosphere.extinction import rayleigh_optical_depth
from dpps_simpipe.atmosphere.profile import dispersion

from dpps.domain.errors import DamagedFile, InvalidInput, NotFound

#: Transmission from 300 g/cm² to 2156 m at a zenith angle of 20° that CTAO's prod6 used
#: (gammasim/simtools, camera-efficiency table, BSD-3-Clause).
PROD6_WAVELENGTH = np.array([310.0, 320, 330, 350, 370, 416, 450, 500, 550, 600])
PROD6_TRANSMISSION = np.array([0.5206, 0.5774, 0.6191, 0.6835, 0.7343, 0.817, 0.8573, 0.897, 0.9224, 0.9352])


def _table(atmosphere: Atmosphere) -> Table:
    """Write a profile as CalibPipe does."""
    return Table(
        {
            "altitude": atmosphere.altitude / 1e3 * u.km,
            "atmospheric density": atmosphere.density * u.g / u.cm**3,
            "atmospheric thickness": atmosphere.thickness * u.g / u.cm**2,
            "refraction index - 1": atmosphere.refractivity,
        }
    )


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_in_profiles_are_air(name: str) -> None:
    profile = built_in_atmosphere(name)
    assert profile.thickness_at(np.array(0.0)) == pytest.approx(1036, abs=15)
    assert profile.altitude_at(profile.thickness_at(np.array([5e3]))) == pytest.approx(5e3, rel=1e-6)


def test_look_up_tables_follow_the_profile(atmosphere: Atmosphere) -> None:
    air = atmosphere.tables()
    grid = air.step * np.arange(len(air.thickness))
    assert np.interp(8123.0, grid, air.thickness) == pytest.approx(
        float(atmosphere.thickness_at(np.array(8123.0))), rel=1e-5
    )
    total = np.interp(50e3, grid, air.refraction_column)
    assert total == pytest.approx(np.trapezoid(atmosphere.refractivity, atmosphere.altitude), rel=0.01)


def test_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="venus") as caught:
        built_in_atmosphere("venus")
    assert "us-standard" in caught.value.next_step


def test_ecsv_of_calibpipe_is_read_in_its_units(tmp_path: Path, atmosphere: Atmosphere) -> None:
    path = tmp_path / "profile.ecsv"
    table = _table(atmosphere)
    table["atmospheric density"] = table["atmospheric density"].to(u.kg / u.m**3)
    table.write(path)
    read = read_atmosphere(path)
    assert read.density == pytest.approx(atmosphere.density)
    assert read.name == "profile.ecsv"


def test_repeated_altitudes_are_taken_once(tmp_path: Path, atmosphere: Atmosphere) -> None:
    path = tmp_path / "profile.ecsv"
    table = _table(atmosphere)
    table.insert_row(6, table[5])
    table.write(path)
    assert len(read_atmosphere(path).altitude) == len(atmosphere.altitude)


def test_corsika_table_ends_where_nothing_is_above(tmp_path: Path, atmosphere: Atmosphere) -> None:
    path = tmp_path / "atmprof99.dat"
    rows = np.column_stack(
        [atmosphere.altitude / 1e3, atmosphere.density, atmosphere.thickness, atmosphere.refractivity]
    )
    rows[-1, 2:] = 0.0
    np.savetxt(path, rows, header="Atmospheric model 99")
    assert len(read_atmosphere(path).altitude) == len(atmosphere.altitude) - 1


@pytest.mark.parametrize("column", ["altitude", "atmospheric density", "atmospheric thickness"])
def test_wrong_units_are_refused_with_file_and_column(
    tmp_path: Path, atmosphere: Atmosphere, column: str
) -> None:
    path = tmp_path / "wrong.ecsv"
    table = _table(atmosphere)
    table[column].unit = u.K
    table.write(path)
    with pytest.raises(InvalidInput, match=rf"wrong\.ecsv.*'{column}'.*unit K"):
        read_atmosphere(path)


def test_a_column_without_a_unit_is_refused(tmp_path: Path, atmosphere: Atmosphere) -> None:
    path = tmp_path / "bare.ecsv"
    table = _table(atmosphere)
    table["altitude"].unit = None
    table.write(path)
    with pytest.raises(InvalidInput, match=r"bare\.ecsv.*'altitude' has no unit"):
        read_atmosphere(path)


def test_metres_in_a_corsika_table_are_refused(tmp_path: Path, atmosphere: Atmosphere) -> None:
    path = tmp_path / "atmprof.dat"
    np.savetxt(
        path,
        np.column_stack(
            [atmosphere.altitude, atmosphere.density, atmosphere.thickness, atmosphere.refractivity]
        ),
    )
    with pytest.raises(InvalidInput, match=r"atmprof\.dat.*altitude.*km"):
        read_atmosphere(path)


@pytest.mark.parametrize(
    ("column", "factor"), [("density", 1e3), ("thickness", 0.098), ("refractivity", 1e-3), ("density", -1.0)]
)
def test_values_that_air_does_not_have_are_refused(
    atmosphere: Atmosphere, column: str, factor: float
) -> None:
    columns = {
        name: getattr(atmosphere, name) for name in ("altitude", "density", "thickness", "refractivity")
    }
    columns[column] = columns[column] * factor
    with pytest.raises(InvalidInput, match=f"column {column}"):
        Atmosphere(name="odd", **columns)


def test_thickness_must_be_the_integral_of_density(atmosphere: Atmosphere) -> None:
    with pytest.raises(InvalidInput, match="thickness changes by"):
        Atmosphere(
            name="odd",
            altitude=atmosphere.altitude,
            density=atmosphere.density * 1.15,
            thickness=atmosphere.thickness,
            refractivity=atmosphere.refractivity,
        )


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "atmprof.dat"
    path.write_text("nothing of the kind\n", encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"atmprof\.dat"):
        read_atmosphere(path)
    with pytest.raises(NotFound, match=r"gone\.ecsv"):
        read_atmosphere(tmp_path / "gone.ecsv")


def test_rayleigh_optical_depth_of_an_atmosphere() -> None:
    # Bodhaine et al. 1999, table 3: 0.3602 at 400 nm, 0.0972 at 550 nm.
    assert rayleigh_optical_depth(np.array([400.0, 550.0])) == pytest.approx([0.360, 0.0972], rel=5e-3)


def test_transmission_agrees_with_prod6(atmosphere: Atmosphere) -> None:
    altitude = atmosphere.altitude_at(np.array([300.0]))
    ours = transmission(atmosphere, PROD6_WAVELENGTH, altitude, 2156.0, cos_zenith=np.cos(np.radians(20.0)))[
        0
    ]
    assert ours == pytest.approx(PROD6_TRANSMISSION, rel=0.015)


def test_ozone_ends_the_ultraviolet_and_more_aerosol_means_less_light(atmosphere: Atmosphere) -> None:
    altitude = np.array([10e3])
    clear = transmission(atmosphere, np.array([260.0, 400.0]), altitude, 2156.0)[0]
    hazy = transmission(
        atmosphere, np.array([260.0, 400.0]), altitude, 2156.0, aerosol=Aerosol(optical_depth=0.2)
    )[0]
    assert clear[0] < 0.01
    assert hazy[1] < 0.9 * clear[1]


def test_dispersion_of_air() -> None:
    # (n-1) of standard air: 2.8276e-4 at 400 nm, 2.7661e-4 at 700 nm (Peck & Reeder 1972).
    assert dispersion(np.array([400.0, 700.0])) == pytest.approx([1.0, 2.7583 / 2.8275], abs=3e-3)
