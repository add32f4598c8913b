"""Rule files rewritten in one language, in place: comments, layout and order stay.

Only words that reading found to have two forms are replaced: keys, closed words and
sentences. What the new text is quoted with is decided by parsing it in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eligibility.documents import Item, read_yaml
from eligibility.errors import MalformedInput, RulebaseError
from eligibility.rulebase.loader import read, sorted_problems

Word = tuple[Item, str, str]  # a scalar, its English and its Chinese form
_BOM = "\ufeff"


def format_texts(texts: Mapping[str, str], lang: str) -> dict[str, str]:
    """Every file of a rule base in one language; a name is known only from the whole.

    Words that do not resolve are left as they are. Raises :class:`RulebaseError` where a
    file cannot be read as YAML.
    """
    rulebase, reading = read(texts)
    if rulebase is None:
        raise RulebaseError(sorted_problems(reading.problems))
    words: dict[str, list[Word]] = {}
    for word in reading.words:
        words.setdefault(word[0].span.file, []).append(word)
    return {name: format_text(text, lang, words.get(name, ())) for name, text in texts.items()}


def format_text(text: str, lang: str, words: Iterable[Word]) -> str:
    """One file with the words that were found in it in ``lang``."""
    if text.startswith(_BOM):  # places are counted without it
        return _BOM + format_text(text[1:], lang, words)
    changes: dict[int, tuple[int, str]] = {}
    for item, en, zh in words:
        wanted = en if lang == "en" else zh
        end = item.start + len(text[item.start : item.end].rstrip())
        if item.raw != wanted and end > item.start:
            changes[item.start] = (end, _scalar(wanted, item.style, item.flow))
    out, last = [], 0
    for start, (end, new) in sorted(changes.items()):
        out += [text[last:start], new]
        last = end
    return "".join([*out, text[last:]])


def _scalar(text: str, style: str, flow: bool) -> str:
    """The text as a YAML scalar: the author's quoting, or quotes where plain would not do."""
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    if style == '"' or not _plain(text, flow):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def _plain(text: str, flow: bool) -> bool:
    """Whether a plain scalar is read back as this very text, as a value and as a key."""
    probe = (
        f"{{a: {text}, b: [{text}], {text}: c}}" if flow else f"a: {text}\nb:\n- {text}\n{text}: c"
    )
    try:
        found = read_yaml(probe, "").plain()
    except (RulebaseError, MalformedInput):
        return False
    return bool(found == {"a": text, "b": [text], text: "c"})
