/** What each command prints with `--json`, for the reference. `[…]` lists one element; what ends in `?` may be left out. */

const PLAN = `{
  stages: {STAGE: [{
    variantId, resources: {cpuCores, memoryBytes, gpus}, maxBatchSize, maxBatchWaitMs, replicas, trafficFraction
  }]},
  predicted: {latencyMs, percentile, pas, capacityRps, cpuCores, costPerHour},
  verified?: {latencyMs, percentile, sloAttainmentFraction, conclusive, seeds}
}`;

/** By command; a command that is missing here takes no `--json`. */
export const jsonShapes: Readonly<Record<string, string>> = {
  demo: '{runs, checks, plans, load, report}',
  init: '{folder, files: […], next: […]}',
  validate: '{valid, problems: [{path, line, column, message, suggestion?}]}',
  profile: `{
  machine,
  variants: [{
    stageId, variantId, loadMs,
    points: [{cpuCores, batchSize, meanMs, p50Ms, p95Ms, p99Ms, throughputRps, memoryBytes}]
  }],
  notMeasured: [{stageId, variantId, reason}]
}`,
  evaluate: `{
  combinations: [{variants: {STAGE: VARIANT}, accuracy, confidence95: [low, high], samples, measured}],
  leftOut?: {combinations, reason}
}`,
  plan: `{
  kind: "feasible", plan: PLAN, objectiveValue,
  certificate: {
    claim, theta, kappa, optimal, gapFraction, upperBound, gapToBoundFraction, solver, elapsedMs, labels
  }
}
or, with exit code 1,
{
  kind: "infeasible", proven, bindingConstraint,
  fixes: {slo?: {latencyMs}, budget?: {cpuCores, …}, accuracyFloor?},
  bestEffort?: PLAN
}
where PLAN is
${PLAN}
and a latency without bound, of a load above the capacity, is null`,
  load: `{
  sent, ok, dropped, failed, latencyMs: {mean, p50, p95, p99, p999, max}, offeredRps, achievedRps,
  byStatus: {STATUS: count}
}`,
};
