"""The shape of what follows a decision: events, duties, ladders, factors, measures."""

from __future__ import annotations

from eligibility.shapes import (
    ANY_SCALAR,
    BOOL,
    FREE,
    STRING,
    TEXT,
    Field,
    Free,
    ListOf,
    MapOf,
    OneOf,
    Shape,
)

CONDITION = Free({"$ref": "#/$defs/condition"})
UNITS = OneOf({"day": "日", "working_day": "工作日", "month": "个月"})
BETTER = OneOf({"more": "越多越好", "less": "越少越好"})
PERIODS = OneOf({"month": "月", "quarter": "季度", "year": "年"})
NAMES = ListOf(STRING)

EVENT = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "day": Field(NAMES, "日期记入"),
        "facts": Field(NAMES, "可载"),
        "required": Field(NAMES, "必载"),
        "sets": Field(MapOf(FREE), "即为"),
        "begins": Field(STRING, "开始期间"),
        "ends": Field(NAMES, "结束期间"),
        "transfers": Field(BOOL, "移转执行"),
        "contingent": Field(BOOL, "或有"),
        "note": Field(TEXT, "说明"),
    }
)
ROLE = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "court": Field(STRING, "法院", True),
        "superior_of": Field(STRING, "上级于", doc="where the case does not name the court"),
    }
)
INSTRUMENT = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "formal": Field(BOOL, "正式"),
        "issued_by": Field(STRING, "发出者"),
    }
)
RUNG = Shape(
    {
        "after": Field(ANY_SCALAR, "逾期", True, doc="days past the due date, or $parameter"),
        "instrument": Field(STRING, "措施", True),
    }
)
FACTOR = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "fact": Field(STRING, "事实", True),
        "better": Field(BETTER, "方向", True),
    }
)
DUE = Shape(
    {
        "count": Field(ANY_SCALAR, "数", True, doc="a number, or $parameter"),
        "unit": Field(UNITS, "单位", True),
        "of": Field(STRING, "自", doc="a date fact; else the day of the starting event"),
        "before": Field(BOOL, "之前"),
        "rolls": Field(BOOL, "顺延"),
    }
)
DUTY = Shape(
    {
        "key": Field(STRING, "键", True),
        "who": Field(STRING, "责任者", True),
        "what": Field(TEXT, "事项", True),
        "when": Field(CONDITION, "条件"),
        "starts_on": Field(NAMES, "起于"),
        "on_decision": Field(BOOL, "自审查起"),
        "on_verdict": Field(NAMES, "规则成立即起"),
        "on_lapse_of": Field(NAMES, "逾期到底即起"),
        "each": Field(STRING, "逐项"),
        "due": Field(DUE, "期限"),
        "done_by": Field(NAMES, "完成于", True),
        "ended_by": Field(NAMES, "终止于"),
        "earlier_counts": Field(BOOL, "此前亦可"),
        "ladder": Field(STRING, "梯度"),
    }
)
MEASURE = Shape(
    {
        "key": Field(STRING, "键", True),
        "label": Field(TEXT, "名称", True),
        "of": Field(STRING, "件数", True),
        "per": Field(STRING, "总数"),
        "at_least": Field(ANY_SCALAR, "不低于"),
        "at_most": Field(ANY_SCALAR, "不高于"),
        "suppress_under": Field(ANY_SCALAR, "不足不评"),
        "by_rule": Field(NAMES, "按规则"),
    }
)
IN_META = {
    "roles": Field(MapOf(ROLE), "责任者"),
    "instruments": Field(MapOf(INSTRUMENT), "措施"),
    "ladders": Field(MapOf(ListOf(RUNG)), "梯度"),
    "factors": Field(MapOf(FACTOR), "因素"),
}
IN_RULES = {
    "duties": Field(ListOf(DUTY), "职责"),
    "hard": Field(BOOL, "硬性"),
    "weights": Field(MapOf(FREE), "权重", doc="factor: $parameter"),
    "flips": Field(NAMES, "反转"),
    "measures": Field(ListOf(MEASURE), "指标"),
    "period": Field(PERIODS, "期间"),
}
EVENTS = MapOf(EVENT)
