"""Reading the rule base in force: facts, rules, sources, profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from eligibility.api import models
from eligibility.api.access import ANY_ROLE
from eligibility.api.openapi import problems
from eligibility.api.requests import known_word
from eligibility.api.service import Service, local_today
from eligibility.rulebase import describe
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary import schema

Data = dict[str, Any]
MOST_PAGES = 32


async def reading(service: Service, digest: str | None) -> Rulebase:
    """The rule base of a digest; None: the one in force. Raises NotFound, RecordsError."""
    if digest is None:
        return service.rulebase
    if service.versions.is_ready(digest):
        return service.published(digest)
    return await run_in_threadpool(service.published, digest)


async def base_read(request: Request, query: Annotated[models.ReadingQuery, Query()]) -> Rulebase:
    """What a route depends on: the rule base asked for, and nothing else in the query."""
    return await reading(request.app.state.service, query.rulebase)


BaseRead = Annotated[Rulebase, Depends(base_read)]


def router(service: Service) -> APIRouter:
    """The routes that read; what never changes is computed when first asked for."""
    routes = APIRouter(
        tags=["rule base"],
        responses=problems(404, 422, 503),
        dependencies=[Depends(ANY_ROLE)],
    )
    pages: dict[tuple[str, str], JSONResponse] = {}

    def page(base: Rulebase, name: str, make: Callable[[], Data]) -> JSONResponse:
        found = pages.get((base.digest, name))
        if found is None:
            if len(pages) >= MOST_PAGES:
                pages.clear()
            found = pages[base.digest, name] = JSONResponse(make())
        return found

    @routes.get(
        "/v1/facts",
        response_model=models.FactList,
        summary="事实词典 / the fact dictionary",
    )
    async def facts(base: BaseRead) -> JSONResponse:
        return page(base, "facts", lambda: fact_list(base))

    @routes.get("/v1/facts/schema", summary="案件的 JSON Schema / JSON Schema of a case")
    async def facts_schema(base: BaseRead) -> JSONResponse:
        return page(base, "schema", lambda: schema.json_schema(base.vocabulary))

    @routes.get("/v1/facts/example", summary="示例案件 / an example case")
    async def facts_example(base: BaseRead) -> JSONResponse:
        return page(base, "example", lambda: schema.example(base.vocabulary))

    @routes.get(
        "/v1/facts/form",
        response_model=models.Form,
        summary="填报表单 / description of a form",
    )
    async def facts_form(base: BaseRead) -> JSONResponse:
        return page(base, "form", lambda: schema.form(base.vocabulary))

    @routes.get(
        "/v1/rules",
        response_model=models.RuleList,
        summary="规则列表 / list of rules",
    )
    async def rules(query: Annotated[models.RuleQuery, Query()]) -> JSONResponse:
        day = query.as_of or local_today()
        base = await reading(service, query.rulebase or service.versions.digest_on(day))
        found = [describe.summarise_rule(r) for r in chosen_rules(base, query)]
        return JSONResponse(listed(base, "rules", found))

    @routes.get(
        "/v1/rules/{rule_id}",
        response_model=models.RuleDetail,
        summary="一条规则 / one rule",
    )
    async def rule(rule_id: str, base: BaseRead) -> JSONResponse:
        return JSONResponse(describe.describe_rule(describe.find_rule(base, rule_id), base))

    @routes.get(
        "/v1/sources",
        response_model=models.SourceList,
        summary="来源列表 / list of sources",
    )
    async def sources(base: BaseRead) -> JSONResponse:
        return page(
            base,
            "sources",
            lambda: listed(
                base,
                "sources",
                [describe.describe_source(s, base) for s in base.sources.values()],
            ),
        )

    @routes.get(
        "/v1/sources/{source_id}",
        response_model=models.SourceEntry,
        summary="一个来源 / one source",
    )
    async def source(source_id: str, base: BaseRead) -> JSONResponse:
        return JSONResponse(describe.describe_source(describe.find_source(base, source_id), base))

    @routes.get(
        "/v1/profiles",
        response_model=models.ProfileList,
        summary="辖区规则 / profiles of policy",
    )
    async def profiles(base: BaseRead) -> JSONResponse:
        found = [describe.describe_profile(p, base) for p in base.profiles.values()]
        return JSONResponse(listed(base, "profiles", found))

    return routes


def listed(base: Rulebase, noun: str, found: list[Data]) -> Data:
    """A list with the digest of the rule base that it was read from."""
    return {"rulebase": base.digest, "count": len(found), noun: found}


def fact_list(base: Rulebase) -> Data:
    """The dictionary: every fact, and the records whose fields are not facts themselves."""
    vocabulary = base.vocabulary
    found = [describe.describe_fact(f, base) for f in vocabulary.facts.values()]
    records = [
        {
            "name": kind.name,
            "list": kind.list_key,
            "label": kind.label.as_dict(),
            "fields": [*kind.fields] or [f.key for f in vocabulary.of_scope(kind.name)],
        }
        for kind in vocabulary.records.values()
    ]
    return {**listed(base, "facts", found), "records": records}


def chosen_rules(base: Rulebase, query: models.RuleQuery) -> Iterable[Rule]:
    """The rules that fit every filter, in order of id."""
    every = [base.rules[rule_id] for rule_id in sorted(base.rules)]
    for name, words in describe.rule_words(base).items():
        known_word(getattr(query, name), words, name)
    if query.profile is not None:
        every = list(base.rules_in_force(query.profile, query.as_of or local_today()))
    return (
        rule
        for rule in every
        if query.kind in (None, rule.kind)
        and query.basis in (None, rule.basis)
        and query.layer in (None, rule.layer)
    )
