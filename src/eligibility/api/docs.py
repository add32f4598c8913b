"""The page at ``/docs``: the OpenAPI document as one HTML file that loads nothing.

Court networks are closed, so a page that fetches its scripts from elsewhere stays blank.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from eligibility.api.access import PUBLIC
from eligibility.api.headers import PAGE_POLICY

Document = dict[str, Any]
HEADERS = {"Content-Security-Policy": PAGE_POLICY}
_STYLE = """\
body{font:16px/1.6 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{font:600 1rem/1.6 monospace;border-top:1px solid #ccc;padding-top:1rem;margin:1.5rem 0 0}
pre{background:#f4f4f4;padding:.8rem;overflow:auto;max-height:30rem;font-size:.85rem}
table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
"""


def install(app: FastAPI) -> None:
    """Serve the page; it is made when first asked for."""
    pages: list[str] = []

    @app.get("/docs", include_in_schema=False, dependencies=[PUBLIC])
    async def docs() -> HTMLResponse:
        if not pages:
            pages.append(page(app.openapi()))
        return HTMLResponse(pages[0], headers=HEADERS)


def page(document: Document) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    title = f"{info['title']} {info['version']} · HTTP 接口 / HTTP API"
    paragraphs = "<br>".join(escape(line) for line in info["description"].strip().splitlines())
    body = "\n".join(_routes(document))
    return (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{paragraphs}</p>\n"
        "<p>完整说明（字段、类型、错误）见 / in full, with every field and type: "
        '<a href="openapi.json">/openapi.json</a></p>\n'
        f"{body}\n</body></html>\n"
    )


def _routes(document: Document) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{method.upper()} {escape(path)}</h2>"
            yield f"<p>{escape(operation.get('summary', ''))}</p>"
            if operation.get("description"):
                yield f"<p>{escape(operation['description'])}</p>"
            yield from _parameters(operation.get("parameters", ()))
            request = operation.get("requestBody", {"content": {}})
            yield from _examples("请求示例 / example request", request)
            yield from _answers(operation["responses"])


def _parameters(found: list[Document]) -> Iterator[str]:
    if found:
        yield "<table>"
    for one in found:
        place = "路径 / path" if one["in"] == "path" else "查询参数 / query"
        cells = (f"<code>{escape(one['name'])}</code>", place, escape(one.get("description", "")))
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    if found:
        yield "</table>"


def _answers(responses: Document) -> Iterator[str]:
    refused = "；".join(
        f"{status} {said['description']}" for status, said in responses.items() if status != "200"
    )
    if refused:
        yield f"<p>也可能答 / other answers: {escape(refused)}</p>"
    for status, response in responses.items():
        yield from _examples(f"回答示例 / example answer {status}", response)


def _examples(title: str, described: Document) -> Iterator[str]:
    for content in described.get("content", {}).values():
        found = content.get("examples", {})
        if "example" in content:
            found = {**found, "": {"value": content["example"]}}
        for name, one in found.items():
            shown = json.dumps(one["value"], ensure_ascii=False, indent=1)
            summary = f"{title}：{one.get('summary', name)}".rstrip("：")
            yield f"<details><summary>{escape(summary)}</summary>"
            yield f"<pre>{escape(shown)}</pre></details>"
