"""``rules``, ``facts``, ``sources``, ``profiles``, ``schema``: the rule base, read."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eligibility.cli.output import (
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    day_named,
    emit,
    print_json,
    print_page,
    refuse,
    rules_of,
    today,
)

if TYPE_CHECKING:
    from eligibility.rulebase.model import Rule, Rulebase
    from eligibility.vocabulary.model import Vocabulary

rules_app = typer.Typer(help="规则 / the rules", no_args_is_help=False)


@rules_app.command("list")
def list_rules(
    profile: Annotated[
        str | None, typer.Option("--profile", help="只列该辖区现行规则 / rules in force there")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="现行日期 / in force on")
    ] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """规则一览 / every rule on a line."""
    from eligibility.render.rules import list_page
    from eligibility.render.words import Speaker
    from eligibility.rulebase.describe import summarise_rule

    base = rules_of(rules)
    day = day_named(as_of, "--as-of") or today()
    if profile is not None:
        found = list(base.rules_in_force(profile, day))
    else:
        found = [base.rules[i] for i in sorted(base.rules)]
    if as_json:
        print_json([summarise_rule(rule) for rule in found])
        return
    say = Speaker(lang)
    rows = [
        [
            rule.id,
            say.closed("kind", rule.kind),
            base.layers[rule.layer].label.in_language(lang) if rule.layer else "—",
            rule.profile,
            say.closed("basis", rule.basis),
            rule.title.in_language(lang),
        ]
        for rule in found
    ]
    zh, en = ["编号", "类别", "层级", "辖区", "性质", "标题"], "id kind layer profile basis title"
    print_page(list_page(rows, zh if lang == Lang.zh else en.split()))


@rules_app.command("show")
def show_rule(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="规则编号 / rule id")],
    circuit: Annotated[bool, typer.Option("--circuit", help="电路 / the lowered circuit")] = False,
    dot: Annotated[bool, typer.Option("--dot", help="Graphviz")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", help="电路所属辖区 / profile of the circuit")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="现行日期 / law in force on")
    ] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """一条规则的全部内容 / everything about a rule."""
    from eligibility.render.rules import rule_page
    from eligibility.rulebase.describe import describe_rule, find_rule

    base = rules_of(rules)
    rule = find_rule(base, rule_id)
    described = describe_rule(rule, base)
    if not circuit and not dot:
        if as_json:
            print_json(described)
        else:
            print_page(rule_page(described, base, lang))
        return
    from eligibility.circuit.lower import lower
    from eligibility.circuit.picture import Picture

    day = day_named(as_of, "--as-of") or today()
    name = profile or _profile_with(base, rule, day)
    picture = Picture(lower(base, name, day), lang)
    if dot and not as_json:
        emit(picture.dot(rule_id))
        return
    lines = picture.lines(rule_id)
    if as_json:
        tree = [{"depth": depth, "text": text} for depth, text in lines]
        print_json({"rule": rule_id, "profile": name, "lines": tree, "dot": picture.dot(rule_id)})
        return
    page = rule_page(described, base, lang)
    page.title(f"{'电路' if lang == Lang.zh else 'Circuit'} ({name})")
    for depth, text in lines:
        page.add(text, 2 + 2 * depth)
    print_page(page)


def _profile_with(base: Rulebase, rule: Rule, day: date) -> str:
    """The rule's own profile, else the first in which it is in force."""
    for name in (rule.profile, *base.profiles):
        if any(r.id == rule.id for r in base.rules_in_force(name, day)):
            return name
    return rule.profile


class Template(StrEnum):
    """The kinds of a docket to fill in."""

    csv = "csv"
    xlsx = "xlsx"


def _fill_in(vocabulary: Vocabulary, kind: Template, lang: Lang, output: str | None) -> None:
    """The header of a docket, printed or written to a file."""
    from eligibility.docket.tables import whole_file
    from eligibility.docket.template import columns, workbook

    if kind is Template.csv:
        header = ",".join(column.heading for column in columns(vocabulary, lang)) + "\n"
        if output is None:
            emit(header)
            return
        content = header.encode("utf-8-sig")
    elif output is None:
        refuse("usage", "xlsx 须以 -o 写入文件", "an xlsx needs -o FILE", "--template")
    else:
        content = workbook(vocabulary)
    with whole_file(Path(output)) as part:
        part.write_bytes(content)
    emit(f"{output}\n")


def facts(
    schema: Annotated[bool, typer.Option("--schema", help="JSON Schema")] = False,
    example: Annotated[bool, typer.Option("--example", help="示例案件 / an example case")] = False,
    form: Annotated[bool, typer.Option("--form", help="表单描述 / form description")] = False,
    template: Annotated[
        Template | None, typer.Option("--template", help="待填的案件表 / a docket to fill in")
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="写入文件 / write to")
    ] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """事实字典 / the fact dictionary."""
    base = rules_of(rules)
    if schema + example + form + (template is not None) > 1:
        zh, en = "--schema、--example、--form、--template 只能选一个", "only one of these options"
        refuse("usage", zh, en)
    if output is not None and template is None:
        refuse("usage", "-o 只与 --template 同用", "-o goes with --template", "-o")
    if template is not None:
        _fill_in(base.vocabulary, template, lang, output)
        return
    if schema or example or form:
        from eligibility.vocabulary.schema import example as example_case
        from eligibility.vocabulary.schema import form as form_of
        from eligibility.vocabulary.schema import json_schema

        vocabulary = base.vocabulary
        if schema:
            print_json(json_schema(vocabulary))
        elif example:
            print_json(example_case(vocabulary))
        else:
            print_json(form_of(vocabulary))
        return
    from eligibility.render.rules import fact_page
    from eligibility.rulebase.describe import describe_fact

    described = [describe_fact(fact, base) for fact in base.vocabulary.facts.values()]
    if as_json:
        print_json(described)
    else:
        records = base.vocabulary.records.values()
        scopes = {kind.name: kind.label.in_language(lang) for kind in records}
        scopes["case"] = "案件" if lang == Lang.zh else "case"
        print_page(fact_page(described, scopes, lang))


def sources(
    source_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="来源编号")] = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    rules: RulesOption = None,
) -> None:
    """来源与原文 / sources with their quotes."""
    from eligibility.render.rules import list_page, source_page
    from eligibility.rulebase.describe import describe_source, find_source

    base = rules_of(rules)
    if source_id is not None:
        described = describe_source(find_source(base, source_id), base)
        if as_json:
            print_json(described)
        else:
            print_page(source_page(described, lang))
        return
    found = [describe_source(source, base) for source in base.sources.values()]
    if as_json:
        print_json(found)
        return
    rows = [[s["id"], s["kind"], s["title"]["en" if lang == Lang.en else "zh"]] for s in found]
    print_page(
        list_page(rows, ["编号", "类别", "标题"] if lang == Lang.zh else ["id", "kind", "title"])
    )


def profiles(
    lang: LangOption = Lang.zh, as_json: JsonOption = False, rules: RulesOption = None
) -> None:
    """辖区规则 / profiles and what each adopts."""
    from eligibility.render.rules import list_page
    from eligibility.render.words import Speaker
    from eligibility.rulebase.describe import describe_profile

    base = rules_of(rules)
    found = [describe_profile(profile, base) for profile in base.profiles.values()]
    if as_json:
        print_json(found)
        return
    say = Speaker(lang)
    rows = [
        [p["id"], say.text(p["label"]), " ← ".join(p["chain"]), ", ".join(p["adopts"]) or "—"]
        for p in found
    ]
    head = ["编号", "名称", "上层", "采纳的建议"] if say.zh else ["id", "name", "layers", "adopts"]
    print_page(list_page(rows, head))


def schema(rules: RulesOption = None) -> None:
    """编辑器用的 JSON Schema / JSON Schema of rule files, for editors."""
    from eligibility.rulebase.language import (
        JUNCTIONS,
        leaf_patterns,
        quantifiers,
        whole_sentences,
    )
    from eligibility.rulebase.shape import editor_schema
    from eligibility.rulefiles import load_rules

    names = load_rules(rules).names
    over = quantifiers(names)
    keys = [*JUNCTIONS, *JUNCTIONS.values(), *over, *(found[0] for found in over.values())]
    print_json(editor_schema(leaf_patterns(), whole_sentences(names), keys))


def register(app: typer.Typer) -> None:
    app.add_typer(rules_app, name="rules")
    for command in (facts, sources, profiles, schema):
        app.command()(command)
