/**
 * Output of commands with `--json`, for the reference. `[…]` shows one element; a trailing `?` marks optional fields.
 */

const PLAN = `{
  stages: {STAGE: [{
    variantId, resources: {cpuCores, memoryBytes, gpus}, maxBatchSize, maxBatchWaitMs, replicas, trafficFraction
  }]},
  predicted: {latencyMs, percentile, pas, capacityRps, cpuCores, costPerHour},
  verified?: {latencyMs, percentile, sloAttainmentFraction, conclusive, seeds}
}`;

/** Shapes by command; absent commands have no `--json`. */
export const jsonShapes: Readonly<Record<string, string>> = {
  demo: '{runs, checks, plans, load, report}',
  init: '{folder, files: […], next: […]}',
  validate: '{valid, problems: [{path, line, column, message, suggestion?}], graph?: with --graph, the drawing}',
  profile: `{
  machine,
  variants: [{
    stageId, variantId, loadMs,
    points: [{cpuCores, batchSize, FIGURES, memoryBytes?, busyNeighbours, idle?: {FIGURES}}],
    skipped: [{cpuCores, batchSize, kind: "over-slo", "dominated", "failed" or "no-such-cores", reason}],
    fits: [{cpuCores, batchSizes, fittedMs, raisedFraction, leaveOneOutFraction?}],
    depth: "quick" or "full", measuredAtEpochMs, identity
  }],
  notMeasured: [{stageId, variantId, reason}]
}
where FIGURES are
meanMs, p50Ms, p95Ms, p99Ms, throughputRps, batches, meanUncertaintyFraction, p99IntervalMs?: [low, high], endedBy: "sure" or "time-cap"`,
  calibrate: `{
  plans: [{
    stages, saturationRps,
    loads: [{
      load: fraction of the saturation throughput or "saturation", arrivalRps, requests,
      served: FIGURES, simulated: FIGURES, simulatedFromProfile: FIGURES, noise: {p50Fraction, p99Fraction},
      estimated: {p50Ms, p99Ms, capacityRps}, estimatedFromProfile: as estimated; null where a stage is overloaded
    }]
  }],
  corrections: [{stageId, variantId, correction: {
    handOverMs: {value, halfWidth}, inflation: {…}, loadInflation: {…}, contention: {…},
    usual: {recentUse, otherBatches}, spread: [[factor]], bunching: {correlation, memoryMs},
    usualFactor, cpuFraction, batches, pauses: {perMs, lengthsMs: [ms]} if there were any,
    thread: {arrivalMs, answerMs, refusalMs, hopMs, itemMs, spread: [factor], pauses}; values as handOverMs
  }}],
  trust: {
    simulated: {p50MedianFraction, p99MedianFraction, worstFraction, saturationFraction, dropsDifference},
    simulatedFromProfile, estimated, estimatedFromProfile: as simulated; helps
  },
  stored
}
where FIGURES are
p50Ms, p99Ms, droppedFraction, completedRps
or, with --forget,
{removed: [STAGE/VARIANT]}`,
  evaluate: `{
  combinations: [{
    variants: {STAGE: VARIANT}, accuracy, confidence95: [low, high], measured, samples?: if measured,
    verdict?: after a search, "kept", "dropped" or "undecided", droppedFor?: {STAGE: VARIANT}
  }],
  stageRuns, leftOut?: {combinations, reason}, modelError?, productError?
}`,
  plan: `{
  kind: "feasible", plan: PLAN, accuracy: SOURCE, objectiveValue,
  certificate: {
    claim, theta, kappa, optimal, gapFraction, upperBound, gapToBoundFraction, solver, elapsedMs, labels,
    search?: {simulated, looked, exhausted, skippedByEstimate}
  },
  explanation?: with --explain, {
    value, oneMoreCore?: CHANGED, tenMoreMs: CHANGED, tenPercentMoreLoad: CHANGED, holdsUntilRps,
    binding: {latency: STAGE, cost: STAGE, capacity: STAGE},
    stages: {STAGE: {latencyMs, sloFraction, costFraction, capacityRps, nextBetter?: LOST, nextCheaper?: LOST}}
  }
}
or, with exit code 1,
{
  kind: "infeasible", proven: true; or kind: "not-found", tried: the number of tried plans,
  relaxed?: with --frontier or --explain, that answer with an advised change, and the changed budget or slo,
  bindingConstraint: "slo", "budget", "accuracy-floor", "several-limits", "capacity" or "unmeasured-accuracy",
  fixes: {slo?: {latencyMs}, budget?: {cpuCores, …}, accuracyFloor?},
  bestEffort?: PLAN, accuracy?: SOURCE of bestEffort
}
or, for the frontier,
{points: [{pas, costPerHour, cpuCores, plan: PLAN, accuracy: SOURCE}], complete, toleranceFraction, omittedPoints}
or, for several files,
{plans: [{file, …one of these}]}
each result also has
{
  arrivalRps: the planned load,
  robustness?: {serviceFactor, nominal: {kind, plan?: PLAN}}, for a robust plan; nominal is the result for the profiled service times
  evidence?: {
    scaledProfiles?: [{stageId, variantId, factor, measuredOn}], for profiles of --profile-scale
    uncertainPoints?: [{stageId, variantId, cpuCores, batchSize, halfWidthFraction?}], for means with an uncertainty above ± 10 %;
      halfWidthFraction is absent if there are too few batches for an estimate
  }
}
where PLAN is
${PLAN}
SOURCE is
{source: "measured", "computed" or "product", samples?, confidence95?: [low, high], error?: of such accuracies, for measured combinations},
CHANGED is
{value?, costPerHour?, changedStages: [STAGE]}; value and costPerHour are absent if no plan is feasible,
and LOST is
{
  variantId,
  verdict: {kind: "worse", "dearer", "pinned" or "refuted", value, costPerHour} or {kind: "impossible", bindingConstraint}
}
pas is the pipeline accuracy score. docs/explain/planner.md explains the certificate (theta is θ, kappa is κ) and the fixes.
predicted.latencyMs is null in a bestEffort plan if the load exceeds the plan's capacity, because queues then grow without limit. All other numbers are finite.`,
  recommend: `{
  kind: "recommendation", question: {arrivalRps?, slo, budget, accuracyFloor, robustness?, routers?},
  frontier?: {complete, omittedPoints, toleranceFraction}, if accuracy and cost are free,
  answers: [{
    free: "cost", "accuracy", "load", "slo" or "robustness", at?: {free, value} of the other free quantity,
    kind: "found", value, arrivalRps, slo, robustness?, certificate?, plan: PLAN of plan,
    verdict?: "met", "missed" or "inconclusive", figures?: FIGURES of sweep
  } or {free, at?, kind: "none", result: "infeasible" or "not-found", proven, tried?, bindingConstraint, fixes}]
}
where value is the cost per hour, the accuracy, the load in rps, the latency of the SLO in ms, or the service factor;
certificate is that of plan without elapsedMs, for a free cost or accuracy alone; proven is false if the search found no plan but one may exist, and tried counts the judged plans;
figures are those of a simulation with drops, and absent with --no-verify; the exit code is 1 if every answer is "none"`,
  simulate: `{
  requests, completed, dropped: {REASON: count}, failed,
  latencyMs: {mean, p50, p95, p99, p999, max},
  sloAttainmentFraction, goodputRps, pasMean, pasGoodput, cpuCoresMean, costPerHourMean,
  stages: {STAGE: {waitMs: {mean, p99}, serviceMs: {mean, p99}, batchSizeMean, loadFactor, busyFraction}},
  decisions, elapsedMs
}
where latencyMs counts completed requests only, and pas is the pipeline accuracy score; sloAttainmentFraction and pasGoodput are relative to all arrivals.
The same inputs and seed give the same bytes, except for elapsedMs, the run time of the simulation.
With --seeds above 1:
{seeds: [SEED], verdict: "met", "missed" or "inconclusive", figures: FIGURES of sweep, runs: [the figures above, without elapsedMs]}`,
  sweep: `{
  kind: "sweep", pipeline, load, subjects: [NAME], axes: [{name, field, values}], seeds, excludeFirstS,
  best: {cheapest?, mostAccurate?}, positions in points of the best ones that meet the SLO
  points: [{
    subject, at: {FIELD: value}, slo: {latencyMs, percentile},
    verdict: "met", "missed", "inconclusive" or "infeasible", infeasible?: reason, figures?: FIGURES
  }]
}
where FIGURES are
{
  sloAttainmentFraction, latencyMs: {mean, p50, p95, p99, p999}, pasMean, cpuCoresMean, costPerHourMean, goodputRps, droppedFraction
}
each {mean, low?, high?} with the ends of the 95 % interval over the seeds; one seed has no interval.
points are sorted by subject and axis values; the exit code is 1 if no point has figures`,
  experiment: `{
  cells: [{pipeline, load, policy, seed, platform, …as simulate, startDelayP99Ms?, serverP99Ms?}],
  means: [{pipeline, load, policy, platform, seeds, figures: MEANS, difference?: MEANS}],
  infeasible?: [{pipeline, load, policy, seed, platform, message}]
}
where MEANS are {sloAttainmentFraction, latencyMs: {p99}, pasMean, cpuCoresMean, costPerHourMean}, each {mean, low?, high?} as in sweep; difference is from the first policy, seed by seed;
cells are sorted by pipeline, load, platform, policy and seed, each in the order of the grid; served cells have no figures of stages, startDelayP99Ms is the p99 of the time until the client sent a request, serverP99Ms the p99 latency within the server; infeasible lists cells without a feasible first plan`,
  forecast: `{
  selected, methods: [{name, FIGURES, fitMs, predictMs}],
  inForce: {FIGURES, changes, stepMs: {mean, p99, max}}, trainBins, testBins
}
where FIGURES are smapeFraction, pinballLoss, coverageFraction over the test part. inForce is the method selected at the time; changes counts its changes.
Only fitMs, predictMs and stepMs differ between runs`,
  'k8s render': `{apiVersion, kind: "List", items: [{apiVersion, kind, metadata: {name, namespace?, labels}, …}]}; kubectl accepts it like the YAML`,
  'k8s pipeline': `{apiVersion, kind: "InferencePipeline", metadata: {name, namespace?, annotations?}, spec}; kubectl accepts it like the YAML`,
  'k8s diff': `{
  namespace, missing: [OBJECT], changed: [{kind, name, differences: [{path, live?, wanted}]}], same: [OBJECT], leftOver: [OBJECT]
}
with exit code 1 if something differs; OBJECT is {kind, name}`,
  'k8s apply': `{namespace, created: [OBJECT], changed: [OBJECT], same: [OBJECT], removed: [OBJECT], leftOver: [OBJECT]}
where OBJECT is {kind, name}`,
  'k8s status': `{
  pipeline, namespace,
  workloads: [{kind, name, stage?, variant?, wanted, ready, complete, stuck?}],
  conditions?: [{type, status, reason, message, lastTransitionTime, observedGeneration?}],
  leader?: {lease, namespace, shard?, shards?, holder?, ageS?, isExpired}
}
with exit code 1 if there is no workload or one is not complete; conditions are those of the InferencePipeline, if there is one; leader is the operator that leads it (ageS: seconds since its lease was renewed), missing without operators or the right to read leases`,
  'k8s doctor': `{
  pipeline, namespace, prometheus: address, sources: [SOURCE],
  findings: [{check, severity: "error" or "warning", source?, message, fix}]
}
with exit code 1 if a finding is an error`,
  operator: `{
  pipelines: [{
    namespace?, name, mode?, phase?, plannedForRps?, replicas?: {desired, ready},
    applied: [OBJECT], removed: [OBJECT], failure?,
    conditions?: [{type, status, reason, message, lastTransitionTime, observedGeneration?}]
  }]
}
with --once; exit code 1 if a pipeline is not accepted, not planned or degraded, or has a failure, or (as an error) if another operator is active.
OBJECT is {kind, name}. phase is "settled" when the plan runs and "idle" if nothing is applied to the cluster.
Other phases name the step that the next run continues:
"preparing", "sharing", "no-room", "shifting", "taken-back", "switching", "ending". phase is absent if the pipeline could not be examined`,
  explain: `{
  pipeline,
  record: {
    id, atEpochMs, trigger: "start", "plan", "burst", "roll-back" or "manual", mode,
    observation: {atMs, load: {arrivalsPerSecond, …}, announced?: {arrivalRps, sinceMs, firstArrivalAtMs?}, stages: {STAGE: {queueLength, droppedTotal, …}}, runningPlan, failedTotal?, changing?, staleSources, …},
    manual?: {action, reason?, decisionId?, pins?, canary?: false, warning?},
    decision?: {
      kind: "hold" or "apply", reason, plan?: PLAN, changes?: [CHANGE],
      evidence: {
        forecast: {method, meanRps, upperRps}, load?: {arrivalRps, …}, result?, necessary?, burst?,
        learnedEdges?: [{edge, from, to, kind: "fan-out" or "branch", variantId?, value, stated, standardError, outputs}],
        passedOver?: {plan: PLAN, reason},
        robustness?: {serviceFactor}, uncertainPoints?: [{…}], scaledProfiles?: [{…}]
      }
    },
    outcome?: {kind: "applied", tookMs}, {kind: "given-up", message} or {kind: "failed", step, message},
    observed?: {
      windowMs, arrivalRps, completed, failed, dropped, sloAttainmentFraction?, latencyMs?: {p50, atPercentile}
    },
    setupDigest?, input?
  },
  lost?: {STAGE: {nextBetter?: LOST, nextCheaper?: LOST, …}}
}
where PLAN and LOST are as in plan`,
  why: `{
  pipeline,
  card: {
    verdict: "healthy", "incident" or "no-data", fromEpochMs, toEpochMs, text?,
    harm?: {requests, missed, dropped, failed, late, missedFraction, allowedFraction},
    harmful?, episode?: {fromEpochMs, toEpochMs},
    cause?: "overload", "slow-replica", "wrong-profile", "failing-variant", "stale-source", "fan-out", "budget", "client" or "unknown",
    stageId?, replicaId?, summary?, firstSignal?: {atEpochMs, stageId?, text},
    evidence?: [{text, measured?, expected?, low?, high?}], runnerUp?: {cause, stageId?, against},
    counterfactual?: {text, holds, requests?, missed?, plan?: PLAN, budgetCores?}
  }
}
with exit code 1 if harmful is true`,
  report: '{pipeline, points, decisions, report: path of the page, plots: [path]}',
  replay: `{
  decisions, same, different: [{pipeline, id, differences: [{path, recorded?, replayed?}]}],
  notReplayable: {REASON: count}
}
with exit code 1 if different is not empty or same is 0`,
  load: `{
  sent, ok, dropped, failed, latencyMs: {mean, p50, p95, p99, p999, max}, latencyFromSendMs?: as latencyMs,
  offeredRps, achievedRps,
  byStatus: {STATUS: count}, firstRefusal?: {status, message}, cutShort?: "refused" or "interrupted"
}
with exit code 1 if a request failed or the load was cut short; latencyMs counts ok requests only`,
};
