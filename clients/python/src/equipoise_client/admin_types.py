# Made from docs/reference/openapi-admin.json by scripts/python-client/generate-types.

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Manual(TypedDict):
    action: str


class Outcome(TypedDict):
    kind: Literal['applied', 'given-up', 'failed']


class Observation(TypedDict):
    atMs: float


class Result(TypedDict):
    kind: Literal['feasible', 'infeasible', 'not-found']


class Current(TypedDict):
    pas: float
    costPerHour: float
    cpuCores: float


class CpuCores(TypedDict):
    used: float
    planned: NotRequired[float]


class Replicas(TypedDict):
    starting: int
    ready: int
    draining: int
    unhealthy: int


class Stages(TypedDict):
    arrivalRps: float
    droppedRps: float
    p99Ms: NotRequired[float]
    queueLength: float
    batchLimit: float
    batchSize: NotRequired[float]
    batchFill: NotRequired[float]
    cpuCores: float
    replicas: Replicas


class HistoryPoint(TypedDict):
    atEpochMs: float
    arrivalRps: float
    forecastRps: NotRequired[float]
    forecastUpperRps: NotRequired[float]
    completedRps: float
    lateRps: float
    failedRps: float
    drops: dict[str, float]
    p50Ms: float | None
    p99Ms: float | None
    accuracy: NotRequired[float]
    cost: NotRequired[float]
    cpuCores: CpuCores
    stages: dict[str, Stages]


class Harm(TypedDict):
    requests: int
    missed: int
    dropped: int
    failed: int
    late: int
    missedFraction: float
    allowedFraction: float


class Episode(TypedDict):
    fromEpochMs: float
    toEpochMs: float


class FirstSignal(TypedDict):
    atEpochMs: float
    stageId: NotRequired[str]
    text: str


class EvidenceItem(TypedDict):
    text: str
    measured: NotRequired[float | None]
    expected: NotRequired[float | None]
    low: NotRequired[float]
    high: NotRequired[float]


class RunnerUp(TypedDict):
    cause: str
    stageId: NotRequired[str]
    against: str


class LatencyBucket(TypedDict):
    upToMs: float
    count: float


class LatencyMs(TypedDict):
    p50: float
    atPercentile: float


class ObservedOutcome(TypedDict):
    windowMs: float
    arrivalRps: float
    completed: int
    failed: int
    dropped: int
    sloAttainmentFraction: NotRequired[float]
    latencyMs: NotRequired[LatencyMs]


class Fault(TypedDict):
    step: str
    message: str
    sinceEpochMs: float
    count: int


class Slo(TypedDict):
    latencyMs: float


class Objective(TypedDict):
    kind: str


class Requests(TypedDict):
    arrived: int
    completed: int
    withinSlo: int
    failed: int
    dropped: dict[str, int]


class Signal(TypedDict):
    source: str
    ageMs: NotRequired[float]


class Elsewhere(TypedDict):
    actions: NotRequired[str]
    requests: NotRequired[str]
    why: NotRequired[str]


class Pipeline(TypedDict):
    name: str
    mode: Literal['auto', 'advise', 'off']
    fixed: bool
    follows: NotRequired[Literal[True]]
    ready: bool
    pins: dict[str, dict[str, Any]]
    lostPins: NotRequired[list[str]]
    faults: list[Fault]
    slo: Slo
    budget: dict[str, Any]
    objective: Objective
    specDigest: str
    inFlight: int
    arrivalRps: float
    requests: Requests
    signals: list[Signal]
    elsewhere: NotRequired[Elsewhere]


class Stages1(TypedDict):
    queueLength: int
    items: int
    batches: int
    busyMs: float
    waitMs: NotRequired[float]
    failedItems: int
    dropped: dict[str, int]


class Edge(TypedDict):
    offered: int
    taken: int
    fanOuts: int
    items: int


class PipelineCounts(TypedDict):
    atEpochMs: float
    inFlight: int
    requests: Requests
    latencyMs: NotRequired[LatencyMs]
    stages: dict[str, Stages1]
    edges: list[Edge]


class Source(TypedDict):
    name: str
    to: list[str]


class Variant(TypedDict):
    variantId: str
    cpuCores: list[float]


class Bounds(TypedDict):
    minReplicas: int
    maxReplicas: int


class Stage(TypedDict):
    stageId: str
    kind: Literal['model', 'transform']
    optional: NotRequired[Literal[True]]
    pins: dict[str, Any]
    variants: list[Variant]
    bounds: Bounds


class Combine(TypedDict):
    stageId: str
    method: str


Edge1 = TypedDict(
    'Edge1',
    {
        'from': str,
        'to': str,
        'fanOut': NotRequired[float],
    },
)


Output = TypedDict(
    'Output',
    {
        'from': str
    },
)


class PipelineGraph(TypedDict):
    slo: Slo
    budget: dict[str, Any]
    objective: Objective
    intervalMs: float
    sources: list[Source]
    stages: list[Stage]
    combines: list[Combine]
    edges: list[Edge1]
    outputs: list[Output]


class Pipelines(TypedDict):
    pipelines: list[Pipeline]


class Predicted(TypedDict):
    latencyMs: float | None
    percentile: float
    pas: float
    capacityRps: float | None
    cpuCores: float
    costPerHour: float


class Change(TypedDict):
    kind: str


class Input(TypedDict):
    stageId: str
    tenant: NotRequired[str]
    digest: str
    leftMs: float


class Quarantine(TypedDict):
    inputs: list[Input]


class Refusal(TypedDict):
    error: str
    code: str
    reason: NotRequired[str]
    details: dict[str, Any]
    docs: str


class Resources(TypedDict):
    cpuCores: float
    memoryBytes: float
    gpus: float


class Replica(TypedDict):
    replicaId: str
    variantId: str
    resources: Resources
    status: Literal['starting', 'ready', 'draining', 'failed']


class Canary(TypedDict):
    variantId: str
    fraction: float
    missingOutcomes: int


class RolledBackItem(TypedDict):
    variantId: str
    untilMs: float


class RunningStage(TypedDict):
    replicas: list[Replica]
    maxBatchSize: int
    maxBatchWaitMs: float
    queueLength: int
    omitted: NotRequired[Literal[True]]
    threshold: NotRequired[float]
    quorum: NotRequired[int]
    canary: NotRequired[Canary]
    rolledBack: NotRequired[list[RolledBackItem]]


class Source1(TypedDict):
    name: str


class SourceParts(TypedDict):
    sources: list[Source1]


class StagePlan(TypedDict):
    variantId: str
    resources: Resources
    maxBatchSize: int
    maxBatchWaitMs: float
    replicas: int
    trafficFraction: float
    threshold: NotRequired[float]
    quorum: NotRequired[int]


class Span(TypedDict):
    stageId: str
    variantId: NotRequired[str]
    replicaId: NotRequired[str]
    kind: Literal['queue', 'batch', 'hop', 'run']
    startMs: float
    endMs: float
    batchSize: NotRequired[int]
    failed: NotRequired[Literal[True]]


class TracedRequest(TypedDict):
    traceId: str
    startedEpochMs: float
    latencyMs: float
    outcome: Literal['completed', 'dropped', 'failed']
    reason: NotRequired[str]
    cause: NotRequired[str]
    spans: list[Span]
    omittedVisits: NotRequired[int]


class TracedRequests(TypedDict):
    tracing: bool
    requests: list[TracedRequest]


class Scaled(TypedDict):
    factor: float
    measuredOn: str


class Point1(TypedDict):
    batchSize: int
    meanMs: NotRequired[float]
    p99Ms: NotRequired[float]
    fittedMs: NotRequired[float]


class Curve(TypedDict):
    cpuCores: float
    points: list[Point1]


class VariantProfile(TypedDict):
    stageId: str
    variantId: str
    loadMs: float
    scaled: NotRequired[Scaled]
    curves: list[Curve]


class Decision1(TypedDict):
    id: int
    atEpochMs: float
    trigger: NotRequired[Literal['start', 'plan', 'burst', 'roll-back', 'manual']]
    mode: NotRequired[Literal['auto', 'advise', 'off']]
    manual: NotRequired[Manual]
    outcome: NotRequired[Outcome]
    observed: NotRequired[ObservedOutcome]
    kind: NotRequired[Literal['hold', 'apply']]
    reason: NotRequired[str]


class DecisionPage(TypedDict):
    decisions: list[Decision1]
    nextBefore: NotRequired[int]


class History(TypedDict):
    stepMs: float
    points: list[HistoryPoint]
    latencies: list[LatencyBucket]


class Plan(TypedDict):
    stages: dict[str, list[StagePlan]]
    predicted: Predicted


class Result1(TypedDict):
    kind: Literal['feasible', 'infeasible', 'not-found']
    plan: NotRequired[Plan]


class PlanAnswer(TypedDict):
    result: Result1
    changes: list[Change]


class Profiles(TypedDict):
    profiles: list[VariantProfile]


class RunningPlan(TypedDict):
    stages: dict[str, RunningStage]


class Decision(TypedDict):
    kind: Literal['hold', 'apply']
    reason: str
    plan: NotRequired[Plan]


class ActionResult(TypedDict):
    id: int
    atEpochMs: float
    trigger: NotRequired[Literal['start', 'plan', 'burst', 'roll-back', 'manual']]
    mode: NotRequired[Literal['auto', 'advise', 'off']]
    manual: NotRequired[Manual]
    outcome: NotRequired[Outcome]
    observed: NotRequired[ObservedOutcome]
    decision: NotRequired[Decision]
    result: str
    warning: NotRequired[str]


class DecisionRecord(TypedDict):
    id: int
    atEpochMs: float
    trigger: NotRequired[Literal['start', 'plan', 'burst', 'roll-back', 'manual']]
    mode: NotRequired[Literal['auto', 'advise', 'off']]
    manual: NotRequired[Manual]
    outcome: NotRequired[Outcome]
    observed: NotRequired[ObservedOutcome]
    observation: Observation
    decision: NotRequired[Decision]


class Point(TypedDict):
    pas: float
    costPerHour: float
    cpuCores: float
    plan: Plan


class FrontierAnswer(TypedDict):
    arrivalRps: float
    points: NotRequired[list[Point]]
    complete: NotRequired[bool]
    toleranceFraction: NotRequired[float]
    omittedPoints: NotRequired[int]
    result: NotRequired[Result]
    current: NotRequired[Current]


class Counterfactual(TypedDict):
    text: str
    holds: bool
    requests: NotRequired[int]
    missed: NotRequired[int]
    plan: NotRequired[Plan]
    budgetCores: NotRequired[float]


class IncidentCard(TypedDict):
    verdict: Literal['healthy', 'incident', 'no-data']
    fromEpochMs: float
    toEpochMs: float
    text: NotRequired[str]
    harm: NotRequired[Harm]
    harmful: NotRequired[bool]
    episode: NotRequired[Episode]
    cause: NotRequired[str]
    stageId: NotRequired[str]
    replicaId: NotRequired[str]
    summary: NotRequired[str]
    firstSignal: NotRequired[FirstSignal]
    evidence: NotRequired[list[EvidenceItem]]
    runnerUp: NotRequired[RunnerUp]
    counterfactual: NotRequired[Counterfactual]
