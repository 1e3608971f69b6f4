"""The preservation service: keeps the policy, reads copies back, compares storages with the catalogue."""
