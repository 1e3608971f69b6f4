"""The preservation policy: what is kept of each kind of product, where, and for how long."""

from dpps.data.policy.document import FreeOnsite, PreservationPolicy, ProductKind
from dpps.data.policy.plan import plan_rules
from dpps.data.policy.reading import load_policy

__all__ = ["FreeOnsite", "PreservationPolicy", "ProductKind", "load_policy", "plan_rules"]
