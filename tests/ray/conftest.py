"""Ray once for all tests here; a supervisor once for each file."""

from shared_house import house, ray_folder

__all__ = ["house", "ray_folder"]
