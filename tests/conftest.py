"""What holds for every test: how long a property may take for one example is not a property of the code."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Hypothesis fails an example that takes 200 ms, and a test whose examples are drawn slowly: on a busy machine all do.
settings.register_profile("offhook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offhook")
