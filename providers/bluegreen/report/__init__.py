"""A plan and an outcome as people read them.

``plan`` the rollout, phase by phase · ``plan_notes`` what it does not promise · ``outcome`` how it ended ·
``counted`` machines by region.
"""

from providers.bluegreen.report.counted import cluster_text, machines
from providers.bluegreen.report.outcome import outcome_text, serving_text
from providers.bluegreen.report.plan import fates_text, green_text, plan_lines
from providers.bluegreen.report.plan_notes import notes, window_s

__all__ = [
    "cluster_text",
    "fates_text",
    "green_text",
    "machines",
    "notes",
    "outcome_text",
    "plan_lines",
    "serving_text",
    "window_s",
]
