"""``events`` and ``follow-ups``: what happened to cases, and what must happen next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eligibility.cli.database import DatabaseOption, follow_ups, moment
from eligibility.cli.output import (
    BAD_INPUT,
    JsonOption,
    Lang,
    LangOption,
    RulesOption,
    complain,
    court_named,
    day_named,
    emit,
    located,
    print_json,
    print_page,
    refuse,
    rules_of,
    today,
    write_file,
)
from eligibility.errors import EligibilityError

if TYPE_CHECKING:
    from eligibility.records.follow_up import FollowUps

CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE_NO", help="案号（或 decision:决定编号）/ case number")
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="截至 / as things stand on")
]
CourtOption = Annotated[
    str | None, typer.Option("--court", help="责任法院：编号、名称或别名 / who owes")
]
OutOption = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FILE", help="写入文件 / write to")
]

events_app = typer.Typer(help="事件 / what happens to a case after a decision")
follow_ups_app = typer.Typer(help="后续义务 / duties with deadlines")


# --- events ---------------------------------------------------------------------------------------


@events_app.command("add")
def add_events(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="事件文件 JSON/NDJSON/YAML/CSV，- 为标准输入"),
    ],
    database: DatabaseOption = None,
    rules: RulesOption = None,
    as_json: JsonOption = False,
) -> int:
    """记录事件 / record events; one that is refused does not withhold the others."""
    from eligibility.cli.event_files import read_events
    from eligibility.records.names import named_event

    followed = follow_ups(database, rules)
    answers: list[dict[str, Any]] = []
    refused = 0
    try:
        for name in files:
            for place, payload in read_events(name, followed.decider.rulebase.vocabulary):
                try:
                    if isinstance(payload, EligibilityError):
                        raise payload
                    event, new = followed.record_event(named_event(payload), moment(), today())
                except EligibilityError as error:
                    complain(located(error, place).problems)
                    refused += 1
                    continue
                answers.append({"event": event, "new": new})
                if not as_json:
                    emit(_told(event, new))
    finally:
        close(followed)
    if as_json:
        print_json(answers)
    return BAD_INPUT if refused else 0


def _told(event: dict[str, Any], new: bool) -> str:
    word = "已记录 / recorded" if new else "已有记录 / known"
    return f"{event['case']}  {event['on']}  {event['label']['zh']}  {word}  {event['id']}\n"


@events_app.command("types")
def event_types(
    lang: LangOption = Lang.zh, as_json: JsonOption = False, rules: RulesOption = None
) -> None:
    """事件类型 / the types of events and the duties they start and fulfil."""
    from eligibility.render.rules import list_page
    from eligibility.rulebase.describe_after import describe_event

    base = rules_of(rules)
    found = [describe_event(event, base) for event in base.events.values()]
    if as_json:
        print_json(found)
        return
    head = ["类型", "名称", "记入", "起始", "完成"]
    if lang == Lang.en:
        head = ["type", "label", "facts", "starts", "fulfils"]
    rows = [
        [
            event["type"],
            event["label"][lang],
            ", ".join(f["label"][lang] for f in (*event["day"], *event["facts"])) or "—",
            ", ".join(event["starts"]) or "—",
            ", ".join(event["fulfils"]) or "—",
        ]
        for event in found
    ]
    print_page(list_page(rows, head))


# --- duties ---------------------------------------------------------------------------------------


@follow_ups_app.command("list")
def list_duties(
    court: CourtOption = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="waiting, open, overdue, lapsed, done …")
    ] = None,
    due_before: Annotated[
        str | None, typer.Option("--due-before", metavar="DATE", help="此日之前到期 / due before")
    ] = None,
    case_no: Annotated[str | None, typer.Option("--case-no", help="案号 / case number")] = None,
    as_of: AsOfOption = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """台账 / the ledger of duties, by due date."""
    from eligibility.records.listing import every_duty
    from eligibility.render.timeline import duty_list_page

    followed = follow_ups(database, rules, reading=True)
    day = day_named(as_of, "--as-of") or today()
    try:
        entries = every_duty(
            followed,
            day,
            moment(),
            court_id=court_named(followed.decider.register, court).id if court else None,
            case_no=case_no,
            states=_states(state),
            due_before=day_named(due_before, "--due-before"),
        )
    finally:
        close(followed)
    if as_json:
        print_json(entries)
    else:
        print_page(duty_list_page(entries, day, lang))


def _states(named: list[str] | None) -> list[str] | None:
    from eligibility.decision.due import STATES

    odd = [state for state in named or () if state not in STATES]
    if odd:
        known = ", ".join(STATES)
        refuse("unknown_value", f"没有状态“{odd[0]}”：{known}", f"no state '{odd[0]}': {known}")
    return named or None


@follow_ups_app.command("show")
def show_case(
    case: CaseArgument,
    as_of: AsOfOption = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """一案的来龙去脉 / a case from decision to closure."""
    from eligibility.render.timeline import timeline_page

    followed = follow_ups(database, rules, reading=True)
    try:
        view = followed.view(case, day_named(as_of, "--as-of") or today())
        base = followed.decider.rulebase
    finally:
        close(followed)
    if as_json:
        print_json(view)
    else:
        print_page(timeline_page(view, base, lang))


@follow_ups_app.command("reevaluate")
def reevaluate(
    case: CaseArgument,
    as_of: AsOfOption = None,
    lang: LangOption = Lang.zh,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """按事件后的事实重新审查并留存 / decide again after what happened, and record it."""
    from eligibility.render import decision_page

    followed = follow_ups(database, rules, reading=True)
    try:
        day = day_named(as_of, "--as-of") or today()
        body = followed.reevaluate(case, moment(), day)
        base = followed.decider.rulebase
    finally:
        close(followed)
    if as_json:
        print_json(body)
    else:
        print_page(decision_page(body, base, lang, None, False))


@follow_ups_app.command("calendar")
def calendar(
    court: Annotated[str, typer.Option("--court", help="责任法院 / who owes")],
    output: OutOption = None,
    database: DatabaseOption = None,
    rules: RulesOption = None,
) -> None:
    """日历订阅 / the calendar feed (iCalendar) of a court."""
    from eligibility.records.listing import every_duty
    from eligibility.render.calendar_feed import RUNNING, feed

    followed = follow_ups(database, rules, reading=True)
    try:
        owes = court_named(followed.decider.register, court)
        entries = every_duty(followed, today(), moment(), court_id=owes.id, states=list(RUNNING))
    finally:
        close(followed)
    write_out(feed(owes.label.as_dict(), entries, moment()).decode(), output)


@follow_ups_app.command("rebuild")
def rebuild(database: DatabaseOption = None, rules: RulesOption = None) -> None:
    """由决定和事件重算台账 / compute the ledger again from decisions and events."""
    followed = follow_ups(database, rules, reading=True)
    try:
        emit(f"{followed.rebuild(moment())} 件 / cases\n")
    finally:
        close(followed)


def write_out(text: str, output: str | None) -> None:
    if output is None:
        emit(text)
    else:
        write_file(output, text)


def close(followed: FollowUps) -> None:
    followed.close()
    followed.decider.close()


def register(app: typer.Typer) -> None:
    app.add_typer(events_app, name="events")
    app.add_typer(follow_ups_app, name="follow-ups")
