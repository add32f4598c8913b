"""Small circuits made by hand or at random, and Kleene's logic over them, slow and obvious."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from eligibility.circuit.model import Circuit, Input, Node, Op, Outcome, RuleNode, Verdicts

Truth = bool | None


# --- a slow and obvious evaluator ----------------------------------------------------------------


def both(truths: Sequence[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def either(truths: Sequence[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def contrary(truth: Truth) -> Truth:
    return None if truth is None else not truth


def truths_of(circuit: Circuit, inputs: Sequence[int]) -> list[Truth]:
    """The truth of every node, in their order."""
    known: list[Truth] = []
    for node in circuit.nodes:
        parts = [known[o] for o in node.operands]
        match node.op:
            case Op.TRUE | Op.FALSE:
                known.append(node.op is Op.TRUE)
            case Op.LEAF:
                regions = [r for r in range(62) if inputs[node.input] >> r & 1]
                inside = {bool(node.mask >> r & 1) for r in regions}
                known.append(inside.pop() if len(inside) == 1 else None)
            case Op.NOT:
                known.append(contrary(parts[0]))
            case Op.AND:
                known.append(both(parts))
            case Op.OR:
                known.append(either(parts))
            case Op.CERTAINLY:
                known.append(parts[0] is True)
            case Op.POSSIBLY:
                known.append(parts[0] is not False)
    return known


def kleene(circuit: Circuit, inputs: Sequence[int], overridden: int) -> Verdicts:
    known = truths_of(circuit, inputs)
    verdicts = [known[rule.verdict] for rule in circuit.rules]
    effective: list[Truth] = [False] * len(circuit.rules)
    for members in circuit.strata():
        for i in members:
            rule = circuit.rules[i]
            defeat = either([t for d, t in enumerate(effective) if rule.defeaters >> d & 1])
            free = not overridden >> i & 1
            effective[i] = both([verdicts[i], known[rule.channel], free, contrary(defeat)])
    possible = 0
    for i, outcome in enumerate(circuit.outcomes):
        holds = either([t for j, t in enumerate(effective) if outcome.rules >> j & 1])
        holds = True if outcome.rules == -1 else holds
        possible |= (holds is not False) << i
        if holds is True:
            break

    def mask(truths: Sequence[Truth], wanted: Sequence[Truth]) -> int:
        return sum(1 << i for i, t in enumerate(truths) if t in wanted)

    yes, perhaps = (True,), (True, None)
    return Verdicts(
        mask(verdicts, yes),
        mask(verdicts, perhaps),
        mask(effective, yes),
        mask(effective, perhaps),
        possible,
    )


# --- random circuits -----------------------------------------------------------------------------


class Builder:
    def __init__(self, regions: Sequence[int]) -> None:
        self.nodes: list[Node] = []
        self.inputs = tuple(Input(f"f{i}", n) for i, n in enumerate(regions))

    def add(self, op: Op, *operands: int, input: int = -1, mask: int = 0) -> int:
        self.nodes.append(Node(op, operands, input, mask))
        return len(self.nodes) - 1

    def leaf(self, input: int, mask: int) -> int:
        return self.add(Op.LEAF, input=input, mask=mask)

    def circuit(self, rules: Sequence[RuleNode], outcomes: Sequence[Outcome]) -> Circuit:
        return Circuit(tuple(self.nodes), self.inputs, tuple(rules), tuple(outcomes))


def random_circuit(random: Random) -> Circuit:
    build = Builder([random.randint(1, 5) for _ in range(random.randint(1, 14))])
    for _ in range(random.randint(2, 30)):
        number = random.randrange(len(build.inputs))
        leaf = build.leaf(number, random.randrange(1 << build.inputs[number].regions))
        if random.random() < 0.3:
            leaf = build.add(Op.NOT, leaf)
        if random.random() < 0.3:
            build.add(random.choice([Op.CERTAINLY, Op.POSSIBLY]), leaf)
    if random.random() < 0.3:
        build.add(random.choice([Op.TRUE, Op.FALSE]))
    for _ in range(random.randint(0, 60)):
        op = random.choice([Op.NOT, Op.AND, Op.AND, Op.OR, Op.OR])
        size = 1 if op is Op.NOT else random.randint(2, random.choice([3, 6]))
        build.add(op, *random.choices(range(len(build.nodes)), k=size))
    return build.circuit(*random_rules(random, len(build.nodes)))


def random_rules(random: Random, nodes: int) -> tuple[list[RuleNode], list[Outcome]]:
    count = random.randint(1, 40)
    strata = sorted(random.choices(range(random.randint(1, 4)), k=count))
    strata = [s - strata[0] for s in strata]
    if random.random() < 0.5:
        random.shuffle(strata)
    channels = [random.randrange(nodes) for _ in range(3)]
    rules = []
    for i, stratum in enumerate(strata):
        lower = [j for j, s in enumerate(strata) if s < stratum]
        beaten = random.sample(lower, min(len(lower), random.choice([0, 0, 1, 3])))
        rules.append(
            RuleNode(
                f"R{i}",
                random.randrange(nodes),
                random.choice(channels),
                stratum,
                sum(1 << j for j in beaten),
            )
        )
    masks = [0, (1 << count) - 1, *(random.getrandbits(count) for _ in range(3))]
    masks += [1 << random.randrange(count) for _ in range(6)]
    wanted = [random.choice(masks) for _ in range(random.randint(0, 9))]
    if random.random() < 0.7:
        wanted.insert(random.randint(len(wanted) // 2, len(wanted)), -1)
    return rules, [Outcome(f"o{i}", mask) for i, mask in enumerate(wanted)]


def random_inputs(random: Random, circuit: Circuit, unknown: float) -> list[int]:
    out = []
    for one in circuit.inputs:
        chance = random.random()
        if chance < unknown * 0.7:
            out.append(one.unknown)
        elif chance < unknown:
            out.append(random.randint(1, one.unknown))
        else:
            out.append(1 << random.randrange(one.regions))
    return out


# --- circuits of one shape ----------------------------------------------------------------------


def always(build: Builder, verdicts: Sequence[int]) -> Circuit:
    """Rules of these verdicts in a channel that is always open."""
    channel = build.add(Op.TRUE)
    rules = [RuleNode(f"R{i}", v, channel) for i, v in enumerate(verdicts)]
    return build.circuit(rules, [Outcome("first", 1), Outcome("other", -1)])


def deep(levels: int) -> Circuit:
    """all and any in turn, a leaf at each level."""
    build = Builder([3] * 25)
    node = build.leaf(0, 1)
    for i in range(levels):
        leaf = build.leaf(i % 25, 1 + i % 6)
        node = build.add((Op.AND, Op.OR)[i % 2], node, leaf)
        if i % 7 == 0:
            node = build.add(Op.NOT, node)
    return always(build, [node])


def many_rules(count: int, distinct: bool) -> Circuit:
    """Rules that share their first leaf, or none."""
    build = Builder([4] * 60)
    verdicts = []
    for i in range(count):
        first = build.leaf(i % 60 if distinct else 0, 1 + i // 60 if distinct else 3)
        some = build.add(Op.OR, build.leaf((i + 7) % 60, 3), build.leaf((i + 11) % 60, 5))
        verdicts.append(build.add(Op.AND, first, some))
    return always(build, verdicts)
