"""Telescopes: mirror, camera, electronics and trigger."""
