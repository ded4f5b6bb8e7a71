"""Ray once for all tests here; a supervisor once for each file."""

from shared_installation import installation, ray_folder

__all__ = ["installation", "ray_folder"]
