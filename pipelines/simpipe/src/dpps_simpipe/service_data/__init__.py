"""The arrays as ctapipe's service data: the folder that readers of raw data look up telescopes in."""

from dpps_simpipe.service_data.writing import write_service_data

__all__ = ["write_service_data"]
