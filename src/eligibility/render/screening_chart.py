"""Bars of a screening as pieces of SVG for a page: each is as wide as its place.

Nothing rests on colour alone: every outcome has its own pattern, and every number stands as
text beside its bar.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from eligibility.render.characters import printable
from eligibility.render.supervision_chart import xml_text

HEIGHT = 18  # pixels
LEAST = 0.4  # per cent of the width
_SOLID = {
    "mandatory_transfer": "#8a1c1c",
    "eligible": "#1f5fa8",
    "not_eligible": "#8b97a5",
    "not_submittable": "#c9d1da",
}
# Ground, ink and drawing of a pattern of 8 by 8 pixels.
_PATTERNS = {
    "eligible_internal": ("#d3e3f4", "#1f5fa8", '<circle cx="4" cy="4" r="2"/>'),
    "return_to_cure": ("#fbe3d6", "#a33b0a", '<path d="M-2 2l4-4M0 8l8-8M6 10l4-4" {line}/>'),
    "need_info": ("#ffffff", "#556070", '<path d="M0 2h8M0 6h8" {thin}/>'),
    "stayed": ("#ece6d2", "#6b5f2a", '<path d="M2 0v8M6 0v8" {thin}/>'),
    "wrong_court": ("#e9e2f1", "#5d4380", '<path d="M0 0l8 8M8 0l-8 8" {thin}/>'),
    "rejected": ("#ffffff", "#1b2430", '<path d="M-2 6l4 4M0 0l8 8M6-2l4 4" {line}/>'),
}
_OTHER = "#b9a7c9"
_INK = "#1b2430"


def patterns() -> Markup:
    """What the bars of a page are filled with; stands once in it."""
    made = []
    for name, (ground, ink, drawing) in _PATTERNS.items():
        lines = {k: f'fill="none" stroke-width="{w}"' for k, w in (("line", 2.5), ("thin", 1.5))}
        made.append(
            f'<pattern id="p-{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<rect width="8" height="8" fill="{ground}"/>'
            f'<g fill="{ink}" stroke="{ink}">{drawing.format(**lines)}</g></pattern>'
        )
    inside = "".join(made)
    return Markup(
        f'<svg width="0" height="0" class="defs" aria-hidden="true"><defs>{inside}</defs></svg>'
    )


def fill_of(outcome: str) -> str:
    """The fill of an outcome; those of other rule bases share one."""
    if outcome in _PATTERNS:
        return f"url(#p-{outcome})"
    return _SOLID.get(outcome, _OTHER)


def sample(outcome: str) -> Markup:
    """A piece of a legend."""
    return Markup(
        '<svg class="sample" width="22" height="14" aria-hidden="true">'
        f'<rect x=".5" y=".5" width="21" height="13" fill="{fill_of(outcome)}" stroke="{_INK}"/>'
        "</svg>"
    )


def bar(parts: Iterable[tuple[str, int]], whole: int, told: str) -> Markup:
    """Parts of a whole one after the other, each an outcome and a count; ``told``: the same in
    words. What is not zero is seen: no part is drawn narrower than :data:`LEAST`."""
    drawn, at = [], 0.0
    for outcome, count in parts:
        share = 100 * count / whole if whole else 0.0
        if count:
            drawn.append(
                f'<rect x="{at:.3f}%" y="0" width="{max(share, LEAST):.3f}%" height="{HEIGHT}" '
                f'fill="{fill_of(outcome)}" stroke="{_INK}" '
                'stroke-width=".5"/>'
            )
        at += share
    return Markup(
        f'<svg class="bar" width="100%" height="{HEIGHT}" role="img">'
        f"<title>{xml_text(printable(told))}</title>{''.join(drawn)}</svg>"
    )
