"""The receiving courts for people: the order with its arithmetic, and what it hangs on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eligibility.render.page import Page
from eligibility.render.words import Speaker

Entry = dict[str, Any]
SHOWN = 5  # courts listed unless all are asked for
_WHOLE = 100


class CourtLines:
    """Adds the receiving courts of a decision to a page."""

    def __init__(self, page: Page, say: Speaker, full: bool) -> None:
        self.page, self.say, self.full = page, say, full

    def add(self, entry: Entry) -> None:
        say, ranked = self.say, entry["ranked"]
        for line in self._power(entry):
            self.page.add(line, 2)
        shown = ranked if self.full else ranked[:SHOWN]
        for court in shown:
            style = "bold" if court["rank"] == 1 else ""
            self.page.add(self._court(court, ranked), 2, style, f"{court['rank']}. ")
        if len(ranked) > len(shown):
            rest = say("more_courts").format(n=len(ranked) - len(shown))
            self.page.add(rest, 2, "dim")
        for line in self._remarks(entry):
            self.page.add(line, 2, "", "· ")
        for court in entry["excluded"]:
            self.page.add(self._excluded(court), 2, "dim", "✗ ")
        if entry["elevation"]:
            self.page.add(self._named("elevation", entry["elevation"]), 2, "bold", "→ ")
        for note in entry["notes"]:
            self.page.add(say.text(note), 2, "", "· ")

    # --- who decides -----------------------------------------------------------------------------

    def _power(self, entry: Entry) -> Iterator[str]:
        say = self.say
        if entry["unknown"]:
            yield say.label(say("who_decides"), self._facts(entry["unknown"]))
        if entry["decider"]:
            key = "competent" if entry["competent_court"] else "decider"
            yield self._named(key, entry["decider"])
        rule = entry["rule"]
        if rule:
            parts = [say.closed("basis", rule["basis"])]
            proposed = say("proposed_part").lower()
            parts += [say.label(proposed, say.text(part)) for part in rule["proposed_parts"]]
            title = f"{rule['id']} {say.text(rule['title'])}"
            tag = say.bracketed(("，" if say.zh else ", ").join(parts))
            yield say.label(say("ranked_by"), f"{title} {tag}")

    def _named(self, key: str, court: Entry) -> str:
        why = self._aside(self.say.text(court["why"]))
        return self.say.label(self.say(key), f"{self._name(court)}{why}")

    # --- courts ----------------------------------------------------------------------------------

    def _court(self, court: Entry, ranked: list[Entry]) -> str:
        say = self.say
        name = self._name(court) + (say("tied") if court["tied"] else "")
        shares = [f"{self._name(part)} {_score(part['share'])}" for part in court["factors"]]
        sum_of = " + ".join(shares)
        text = f"{name}  {_score(court['score'])}" + (
            self._aside(sum_of) if len(shares) > 1 else ""
        )
        if court["to_confirm"] and not self._all_alike(ranked):
            text += "  " + say.label(say("to_confirm"), self._confirm(court))
        return text

    def _excluded(self, court: Entry) -> str:
        say = self.say
        reasons = [
            ("，" if say.zh else ", ").join(say.text(reason) for reason in rule["reasons"])
            + f"  {rule['id']}"
            for rule in court["rules"]
        ]
        return say.label(say("excluded"), f"{self._name(court)}  {'；'.join(reasons)}")

    # --- what the order hangs on -----------------------------------------------------------------

    def _remarks(self, entry: Entry) -> Iterator[str]:
        say, ranked = self.say, entry["ranked"]
        if entry["gap"] is not None:
            yield say("gap" if entry["gap"] else "no_gap").format(gap=_score(entry["gap"]))
        for rule in entry["flipped"]:
            yield say("flipped").format(rule=self._rule(rule), factors=self._names(rule["factors"]))
        for rule in entry["if_also"]:
            yield self._if_also(rule)
        if entry["left_out"]:
            factors = [self._left_out(factor, ranked) for factor in entry["left_out"]]
            rescaled = say("rescaled") if ranked[0]["factors"] else ""
            yield say.label(say("left_out"), say.joined(factors)) + rescaled
        for margin in entry["sensitivity"]:
            yield self._margin(margin)
        if ranked and ranked[0]["to_confirm"] and self._all_alike(ranked):
            yield say.label(say("all_confirm"), self._confirm(ranked[0]))

    def _if_also(self, rule: Entry) -> str:
        say = self.say
        then = say("then_first" if rule["changes_first"] else "still_first")
        return say("if_also").format(
            rule=self._rule(rule),
            facts=self._facts(rule["unknown"]),
            then=then.format(court=self._name(rule["first"])),
        )

    def _left_out(self, factor: Entry, ranked: list[Entry]) -> str:
        courts, name = factor["unknown_for"], self._name(factor)
        if len(courts) == len(ranked):
            return name
        known = self.say("not_known_for").format(courts=self._names(courts[:SHOWN]), n=len(courts))
        return f"{name}{self._aside(known)}"

    def _margin(self, margin: Entry) -> str:
        say = self.say
        text = say("weight_now").format(factor=self._name(margin), now=_percent(margin["weight"]))
        below, above = margin["then"]["below"], margin["then"]["above"]
        if not below and not above:
            return text + say("any_weight")
        low, high = _percent(margin["from"]), _percent(margin["to"])
        ends = []
        if below:
            ends.append(say("below").format(end=low, court=self._name(below)))
        if above:
            ends.append(say("above").format(end=high, court=self._name(above)))
        return text + say("within").format(low=low, high=high) + "".join(ends)

    # --- words -----------------------------------------------------------------------------------

    def _all_alike(self, ranked: list[Entry]) -> bool:
        return len(ranked) > 1 and all(c["to_confirm"] == ranked[0]["to_confirm"] for c in ranked)

    def _confirm(self, court: Entry) -> str:
        rules = dict.fromkeys(rule for fact in court["to_confirm"] for rule in fact["rules"])
        return f"{self._facts(court['to_confirm'])}  {self.say.joined(list(rules))}"

    def _facts(self, facts: list[Entry]) -> str:
        return self.say.joined([self._fact(fact) for fact in facts])

    def _fact(self, fact: Entry) -> str:
        holder = self.say.text(fact["held_by"])
        return self._name(fact) + (self.say.bracketed(holder) if holder else "")

    def _rule(self, rule: Entry) -> str:
        return f"{rule['id']} {self.say.text(rule['title'])}"

    def _names(self, entries: list[Entry]) -> str:
        return self.say.joined([self._name(entry) for entry in entries])

    def _name(self, entry: Entry) -> str:
        return self.say.text(entry["label"])

    def _aside(self, text: str) -> str:
        return f"（{text}）" if self.say.zh else f" ({text})"


def _score(number: float) -> str:
    return f"{number:.4f}" if number else "0"


def _percent(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") + "%"
