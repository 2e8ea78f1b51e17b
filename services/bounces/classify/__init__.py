"""The classifier: what a mail proves about the delivery of an earlier one. No database, no broker, no network."""

from services.bounces.classify.classification import Classification
from services.bounces.classify.command import classify_files
from services.bounces.classify.decide import classify

__all__ = ["Classification", "classify", "classify_files"]
