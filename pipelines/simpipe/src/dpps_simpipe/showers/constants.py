"""Numbers of nature used by the shower simulation (PDG, R.L. Workman et al., PTEP 2022 083C01)."""

__all__ = [
    "AIR_ELEMENTS",
    "ALPHA",
    "AVOGADRO",
    "ELECTRON_MASS",
    "MUON_DECAY_LENGTH",
    "MUON_MASS",
    "NEUTRON_MASS",
    "PION_DECAY_LENGTH",
    "PION_MASS",
    "PROTON_MASS",
    "RADIATION_LENGTH",
    "R_ELECTRON",
    "SPEED_OF_LIGHT",
]

#: Masses in MeV.
ELECTRON_MASS = 0.51099895
MUON_MASS = 105.6583755
PION_MASS = 139.57039
PROTON_MASS = 938.27208816
NEUTRON_MASS = 939.5654205
#: Mean decay length over βγ, cτ, in m.
PION_DECAY_LENGTH = 7.8045
MUON_DECAY_LENGTH = 658.6384
#: Radiation length of dry air in g/cm².
RADIATION_LENGTH = 36.62
#: Speed of light in m/ns.
SPEED_OF_LIGHT = 0.299792458
#: Fine-structure constant.
ALPHA = 1.0 / 137.035999
#: Classical electron radius in cm.
R_ELECTRON = 2.8179403e-13
#: Avogadro's constant in 1/mol.
AVOGADRO = 6.02214076e23
#: Dry air: atomic number, atomic weight, fraction by mass (nitrogen, oxygen, argon).
AIR_ELEMENTS = ((7, 14.007, 0.755267), (8, 15.999, 0.231781), (18, 39.948, 0.012827))
