"""Decisions and rules as people read them, in Chinese or English."""

from eligibility.render.decision import decision_page
from eligibility.render.page import Page, columns, padded
from eligibility.render.rules import rule_page

__all__ = ["Page", "columns", "decision_page", "padded", "rule_page"]
