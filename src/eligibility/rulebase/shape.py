"""The shape of a rule file: every key, its Chinese form and what may stand in it."""

from __future__ import annotations

from eligibility.rulebase.shape_after import CONDITION, EVENTS, IN_META, IN_RULES
from eligibility.shapes import (
    ANY_SCALAR,
    BOOL,
    DATE,
    FREE,
    INT,
    NUMBER,
    STRING,
    TEXT,
    Field,
    ListOf,
    MapOf,
    OneOf,
    Schema,
    Shape,
)
from eligibility.vocabulary.reader import SECTIONS as VOCABULARY_SECTIONS

KINDS = OneOf(
    {
        "define": "认定",
        "qualify": "准入",
        "bar": "限制",
        "require": "后续要求",
        "prefer": "择优",
        "supervise": "监督",
    }
)
BASES = OneOf({"statute": "法律规定", "reported": "公开报道", "proposed": "建议"})
GRANTS = OneOf({"inter_court": "法院间交叉", "internal": "内部交叉"})
EFFECTS = OneOf(
    {
        "wrong_court": "受理法院无决定权",
        "end": "无案可交叉",
        "stay": "停止审查",
        "return": "退回补正",
    }
)
CLOSINGS = OneOf({"assume_true": "视为成立", "assume_false": "视为不成立"})
PERIOD = Shape({"from": Field(DATE, "自"), "to": Field(DATE, "至"), "note": Field(TEXT, "说明")})

RULE = Shape(
    {
        "id": Field(STRING, "编号", True),
        "title": Field(TEXT, "标题", True),
        "kind": Field(KINDS, "类别", True),
        "layer": Field(STRING, "层级"),
        "profile": Field(STRING, "辖区", True),
        "effect": Field(EFFECTS, "效果"),
        "grants": Field(GRANTS, "准予"),
        "modes": Field(ListOf(STRING), "方式"),
        "channel": Field(ListOf(STRING), "启动方式"),
        "over": Field(STRING, "范围", doc="any property / 任一财产 …"),
        "when": Field(CONDITION, "条件"),
        "unless": Field(CONDITION, "除非"),
        "on_unknown": Field(MapOf(CLOSINGS), "未知时"),
        "defeats": Field(ListOf(FREE), "优先于"),
        "advisory": Field(BOOL, "仅提示"),
        "set_level": Field(BOOL, "成批"),
        "in_stay": Field(OneOf({"prepare": "可先准备"}), "停止期间"),
        **IN_RULES,
        "cure": Field(TEXT, "补正"),
        "override_by": Field(ListOf(STRING), "准予例外"),
        "exception": Field(TEXT, "例外"),
        "consequence": Field(TEXT, "后果"),
        "note": Field(TEXT, "说明"),
        "basis": Field(BASES, "依据性质", True),
        "proposed_parts": Field(ListOf(TEXT), "建议部分"),
        "ground": Field(TEXT, "理由"),
        "citations": Field(ListOf(STRING), "依据"),
        "effective": Field(PERIOD, "施行"),
    }
)
DEFINITION = Shape(
    {
        "key": Field(STRING, "键", True),
        "title": Field(TEXT, "标题", True),
        "scope": Field(STRING, "所属"),
        "when": Field(CONDITION, "条件", True),
        "basis": Field(BASES, "依据性质", True),
        "ground": Field(TEXT, "理由"),
        "citations": Field(ListOf(STRING), "依据"),
        "note": Field(TEXT, "说明"),
    }
)
PARAMETER = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "type": Field(
            OneOf({"int": "整数", "decimal": "小数", "bool": "是否", "choice": "选项"}),
            "类型",
            True,
        ),
        "unit": Field(STRING, "单位"),
        "choices": Field(MapOf(TEXT), "选项表"),
        "set_by": Field(TEXT, "确定者"),
        "minimum": Field(NUMBER, "最小"),
        "maximum": Field(NUMBER, "最大"),
        "note": Field(TEXT, "说明"),
        "values": Field(
            ListOf(
                Shape(
                    {
                        "value": Field(ANY_SCALAR, "值", True),
                        "from": Field(DATE, "自"),
                        "to": Field(DATE, "至"),
                        "profile": Field(STRING, "辖区"),
                        "basis": Field(BASES, "依据性质", True),
                        "ground": Field(TEXT, "理由"),
                        "citations": Field(ListOf(STRING), "依据"),
                    }
                )
            ),
            "取值",
            True,
        ),
    }
)
SOURCE = Shape(
    {
        "title": Field(TEXT, "标题", True),
        "kind": Field(
            OneOf({"article": "报道", "statute": "法律法规", "public": "公开资料"}), "类别", True
        ),
        "locator": Field(STRING, "位置"),
        "url": Field(STRING, "网址"),
        "quotes": Field(ListOf(STRING), "原文", True),
        "gloss": Field(TEXT, "要点"),
        "note": Field(TEXT, "说明"),
        "verified": Field(BOOL, "已核对"),
    }
)
OUTCOME = Shape(
    {
        "outcome": Field(STRING, "结论", True),
        "when": Field(FREE, "条件", True),
        "rank": Field(INT, "位次", True),
        "label": Field(TEXT, "名称", True),
    }
)
MODE = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "decided_by": Field(STRING, "决定者", True),
        "instrument": Field(TEXT, "文书", True),
        "power_moves": Field(BOOL, "执行权转移", True),
        "intrusiveness": Field(INT, "强度"),
        "set_level": Field(BOOL, "成批"),
        "insufficient_when": Field(CONDITION, "不足之条件"),
        "when_insufficient": Field(TEXT, "不足之说明"),
    }
)
META = Shape(
    {
        "layers": Field(
            MapOf(
                Shape(
                    {
                        "label": Field(TEXT, "名称", True),
                        "defeasible": Field(BOOL, "可被优先"),
                        "channels": Field(ListOf(STRING), "启动方式"),
                    }
                )
            ),
            "层级",
        ),
        "channels": Field(MapOf(TEXT), "启动方式"),
        "outcomes": Field(ListOf(OUTCOME), "结论"),
        "labels": Field(MapOf(TEXT), "名称"),
        "modes": Field(MapOf(MODE), "方式"),
        "bodies": Field(MapOf(TEXT), "机关"),
        **IN_META,
    }
)
CONSTRAINT = Shape(
    {
        "id": Field(STRING, "编号", True),
        "scope": Field(STRING, "所属"),
        "never": Field(CONDITION, "不可能", True),
        "message": Field(TEXT, "说明", True),
    }
)
COURT = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "level": Field(
            OneOf({"supreme": "最高", "high": "高级", "intermediate": "中级", "basic": "基层"}),
            "级别",
            True,
        ),
        "parent": Field(STRING, "上级"),
        "profile": Field(STRING, "辖区"),
        "line": Field(STRING, "系统"),
        "aliases": Field(ListOf(STRING), "别名"),
        "district": Field(STRING, "行政区"),
        "site": Field(
            Shape({"lat": Field(NUMBER, "纬度", True), "lon": Field(NUMBER, "经度", True)}), "位置"
        ),
        "teams": Field(ListOf(STRING), "专门团队"),
        "load": Field(
            Shape(
                {
                    "officers": Field(INT, "执行人员"),
                    "open_cases": Field(INT, "在办案件"),
                    "capacity": Field(INT, "可再承办"),
                    "on": Field(DATE, "统计日"),
                    "illustrative": Field(BOOL, "示例"),
                }
            ),
            "负荷",
        ),
        "note": Field(TEXT, "说明"),
    }
)
YEAR = Shape(
    {
        "notice": Field(TEXT, "通知"),
        "made_with": Field(STRING, "制表"),
        "closed": Field(ListOf(DATE), "放假", True),
        "working": Field(ListOf(DATE), "上班"),
        "provisional": Field(BOOL, "暂定"),
    }
)
CALENDAR_YEAR = Shape(
    {
        "notice": Field(TEXT, "通知"),
        "made_with": Field(STRING, "制表"),
        "closed": Field(ListOf(DATE), "放假", True),
        "working": Field(ListOf(DATE), "上班"),
        "note": Field(TEXT, "说明"),
    }
)
FILE = Shape(
    {
        "version": Field(STRING, "版本"),
        "meta": Field(META, "总则"),
        **VOCABULARY_SECTIONS,
        "constraints": Field(ListOf(CONSTRAINT), "不可能之组合"),
        "parameters": Field(MapOf(PARAMETER), "参数"),
        "sources": Field(MapOf(SOURCE), "来源"),
        "profiles": Field(
            MapOf(
                Shape(
                    {
                        "label": Field(TEXT, "名称", True),
                        "extends": Field(STRING, "上层"),
                        "adopts": Field(ListOf(STRING), "采纳"),
                        "note": Field(TEXT, "说明"),
                    }
                )
            ),
            "辖区规则",
        ),
        "courts": Field(MapOf(COURT), "法院名录"),
        "events": Field(EVENTS, "事件"),
        "definitions": Field(ListOf(DEFINITION), "认定"),
        "rules": Field(ListOf(RULE), "规则"),
        "calendar": Field(MapOf(YEAR), "日历"),
    }
)


def editor_schema(leaf_patterns: list[str], sentences: list[str], keys: list[str]) -> Schema:
    """JSON Schema of a rule file, for completion and checking in editors.

    ``leaf_patterns``: what a sentence looks like; ``sentences``: whole ones to offer;
    ``keys``: the keys of a condition with conditions below (all, any, a quantifier).
    """
    schema = FILE.schema()
    condition: Schema = {
        "oneOf": [
            {
                "type": "string",
                "description": "事实 比较 值 / fact operator value",
                "anyOf": [{"enum": sentences}, *({"pattern": p} for p in leaf_patterns)],
            },
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
                "properties": {key: {"$ref": "#/$defs/below"} for key in keys},
            },
        ]
    }
    below: Schema = {
        "anyOf": [
            {"$ref": "#/$defs/condition"},
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
        ]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "eligibility rule file",
        **schema,
        "$defs": {"condition": condition, "below": below},
    }
