"""What names look like: the published schema, unchanged. Rucio takes every name from here by its own."""

from bdms_rucio_policy.schema import *  # noqa: F403 - Rucio looks for all of them in this module
