"""A document read back: its elements, texts, references and notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})


@dataclass
class Element:
    """One element: its own classes, all the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()


class Html(HTMLParser):
    """The elements of a document in the order of their beginning; balanced, or it fails."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.declarations: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, [element.tag for element in self.open]

    def handle_decl(self, decl: str) -> None:
        self.declarations.append(decl)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if self.open:
            self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop().tag == tag, tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def of(self, tag: str, name: str = "") -> list[Element]:
        found = [e for e in self.elements if e.tag == tag]
        return [e for e in found if not name or name in e.classes]

    @property
    def text(self) -> str:
        return "".join(e.text for e in self.elements if e.tag == "body")

    @property
    def shape(self) -> list[tuple[str, ...]]:
        """The elements without what they say."""
        return [(e.tag, *e.classes) for e in self.elements]

    @property
    def notes(self) -> dict[str, str]:
        """The footnotes by their anchor."""
        items = [e for e in self.of("li") if e.attributes.get("id", "").startswith("note-")]
        return {e.attributes["id"]: e.text for e in items}
