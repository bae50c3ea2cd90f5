/** Schemas of the answers of the admin port, for its OpenAPI document. Later versions may add fields to every object. */
import { z } from 'zod';

const counts = z.record(z.string(), z.int());
const mode = z.enum(['auto', 'advise', 'off']);
const resources = z.looseObject({ cpuCores: z.number(), memoryBytes: z.number(), gpus: z.number() });
const pins = z.record(z.string(), z.looseObject({}));

const stagePlan = z
  .looseObject({
    variantId: z.string(),
    resources,
    maxBatchSize: z.int(),
    maxBatchWaitMs: z.number(),
    replicas: z.int(),
    trafficFraction: z.number(),
    threshold: z.number().optional(),
    quorum: z.int().optional(),
  })
  .meta({ id: 'StagePlan' });

const plan = z
  .looseObject({
    stages: z.record(z.string(), z.array(stagePlan)),
    predicted: z.looseObject({
      latencyMs: z.number().nullable().describe('null if the load exceeds the capacity'),
      percentile: z.number(),
      pas: z.number(),
      capacityRps: z.number().nullable(),
      cpuCores: z.number(),
      costPerHour: z.number(),
    }),
  })
  .meta({ id: 'Plan' });

const pipeline = z
  .looseObject({
    name: z.string(),
    mode,
    fixed: z.boolean(),
    follows: z.literal(true).optional(),
    ready: z.boolean(),
    pins,
    lostPins: z.array(z.string()).optional(),
    faults: z.array(z.looseObject({ step: z.string(), message: z.string(), sinceEpochMs: z.number(), count: z.int() })),
    slo: z.looseObject({ latencyMs: z.number() }),
    budget: z.looseObject({}),
    objective: z.looseObject({ kind: z.string() }),
    specDigest: z.string(),
    inFlight: z.int(),
    arrivalRps: z.number(),
    requests: z.looseObject({
      arrived: z.int(),
      completed: z.int(),
      withinSlo: z.int(),
      failed: z.int(),
      dropped: counts,
    }),
    signals: z.array(z.looseObject({ source: z.string(), ageMs: z.number().optional() })),
    elsewhere: z
      .looseObject({ actions: z.string().optional(), requests: z.string().optional(), why: z.string().optional() })
      .optional()
      .describe('present on the port of an operator: what it leaves to others, in words'),
  })
  .meta({ id: 'Pipeline' });

const runningStage = z
  .looseObject({
    replicas: z.array(
      z.looseObject({
        replicaId: z.string(),
        variantId: z.string(),
        resources,
        status: z.enum(['starting', 'ready', 'draining', 'failed']),
      }),
    ),
    maxBatchSize: z.int(),
    maxBatchWaitMs: z.number(),
    queueLength: z.int(),
    omitted: z.literal(true).optional(),
    threshold: z.number().optional(),
    quorum: z.int().optional(),
    canary: z.looseObject({ variantId: z.string(), fraction: z.number(), missingOutcomes: z.int() }).optional(),
    rolledBack: z.array(z.looseObject({ variantId: z.string(), untilMs: z.number() })).optional(),
  })
  .meta({ id: 'RunningStage' });

const outcome = z.looseObject({ kind: z.enum(['applied', 'given-up', 'failed']) });

const observed = z
  .looseObject({
    windowMs: z.number(),
    arrivalRps: z.number(),
    completed: z.int(),
    failed: z.int(),
    dropped: z.int(),
    sloAttainmentFraction: z.number().optional(),
    latencyMs: z.looseObject({ p50: z.number(), atPercentile: z.number() }).optional(),
  })
  .meta({ id: 'ObservedOutcome' });

const entry = {
  id: z.int(),
  atEpochMs: z.number(),
  trigger: z.enum(['start', 'plan', 'burst', 'roll-back', 'manual']).optional(),
  mode: mode.optional(),
  manual: z.looseObject({ action: z.string() }).optional(),
  outcome: outcome.optional(),
  observed: observed.optional(),
};

const decision = z
  .looseObject({ kind: z.enum(['hold', 'apply']), reason: z.string(), plan: plan.optional() })
  .optional();

const record = z
  .looseObject({ ...entry, observation: z.looseObject({ atMs: z.number() }), decision })
  .meta({ id: 'DecisionRecord' });

const acted = z
  .looseObject({
    ...entry,
    decision,
    result: z.string().describe('The result in one line.'),
    warning: z.string().optional(),
  })
  .meta({ id: 'ActionResult' });

const planned = z
  .looseObject({
    result: z.looseObject({ kind: z.enum(['feasible', 'infeasible', 'not-found']), plan: plan.optional() }),
    changes: z.array(z.looseObject({ kind: z.string() })),
  })
  .meta({ id: 'PlanAnswer' });

const replicaCounts = z.looseObject({
  starting: z.int(),
  ready: z.int(),
  draining: z.int(),
  unhealthy: z.int(),
});

const historyPoint = z
  .looseObject({
    atEpochMs: z.number(),
    arrivalRps: z.number(),
    forecastRps: z.number().optional(),
    forecastUpperRps: z.number().optional(),
    completedRps: z.number(),
    lateRps: z.number(),
    failedRps: z.number(),
    drops: z.record(z.string(), z.number()),
    p50Ms: z.number().nullable(),
    p99Ms: z.number().nullable(),
    accuracy: z.number().optional(),
    cost: z.number().optional(),
    cpuCores: z.looseObject({ used: z.number(), planned: z.number().optional() }),
    stages: z.record(
      z.string(),
      z.looseObject({
        arrivalRps: z.number(),
        droppedRps: z.number(),
        p99Ms: z.number().optional(),
        queueLength: z.number(),
        batchLimit: z.number(),
        batchSize: z.number().optional(),
        batchFill: z.number().optional(),
        cpuCores: z.number(),
        replicas: replicaCounts,
      }),
    ),
  })
  .meta({ id: 'HistoryPoint' });

const latencyBucket = z.looseObject({ upToMs: z.number(), count: z.number() }).meta({ id: 'LatencyBucket' });

const window = z.looseObject({ fromEpochMs: z.number(), toEpochMs: z.number() });

const incidentCard = z
  .looseObject({
    verdict: z.enum(['healthy', 'incident', 'no-data']),
    fromEpochMs: z.number(),
    toEpochMs: z.number(),
    text: z.string().optional().describe('present unless the verdict is incident'),
    harm: z
      .looseObject({
        requests: z.int(),
        missed: z.int(),
        dropped: z.int(),
        failed: z.int(),
        late: z.int(),
        missedFraction: z.number(),
        allowedFraction: z.number(),
      })
      .optional(),
    harmful: z.boolean().optional(),
    episode: window.optional(),
    cause: z.string().optional(),
    stageId: z.string().optional(),
    replicaId: z.string().optional(),
    summary: z.string().optional(),
    firstSignal: z.looseObject({ atEpochMs: z.number(), stageId: z.string().optional(), text: z.string() }).optional(),
    evidence: z
      .array(
        z.looseObject({
          text: z.string(),
          measured: z.number().nullable().optional(),
          expected: z.number().nullable().optional(),
          low: z.number().optional(),
          high: z.number().optional(),
        }),
      )
      .optional(),
    runnerUp: z.looseObject({ cause: z.string(), stageId: z.string().optional(), against: z.string() }).optional(),
    counterfactual: z
      .looseObject({
        text: z.string(),
        holds: z.boolean(),
        requests: z.int().optional(),
        missed: z.int().optional(),
        plan: plan.optional(),
        budgetCores: z.number().optional(),
      })
      .optional(),
  })
  .meta({ id: 'IncidentCard' });

const requestSpan = z.looseObject({
  stageId: z.string(),
  variantId: z.string().optional(),
  replicaId: z.string().optional(),
  kind: z.enum(['queue', 'batch', 'hop', 'run']),
  startMs: z.number(),
  endMs: z.number(),
  batchSize: z.int().optional(),
  failed: z.literal(true).optional(),
});

const tracedRequest = z
  .looseObject({
    traceId: z.string(),
    startedEpochMs: z.number(),
    latencyMs: z.number(),
    outcome: z.enum(['completed', 'dropped', 'failed']),
    reason: z.string().optional(),
    cause: z.string().optional(),
    spans: z.array(requestSpan),
    omittedVisits: z.int().optional(),
  })
  .meta({ id: 'TracedRequest' });

const graph = z
  .looseObject({
    slo: z.looseObject({ latencyMs: z.number() }),
    budget: z.looseObject({}),
    objective: z.looseObject({ kind: z.string() }),
    intervalMs: z.number(),
    sources: z.array(z.looseObject({ name: z.string(), to: z.array(z.string()) })),
    stages: z.array(
      z.looseObject({
        stageId: z.string(),
        kind: z.enum(['model', 'transform']),
        optional: z.literal(true).optional(),
        pins: z.looseObject({}),
        variants: z.array(z.looseObject({ variantId: z.string(), cpuCores: z.array(z.number()) })),
        bounds: z.looseObject({ minReplicas: z.int(), maxReplicas: z.int() }),
      }),
    ),
    combines: z.array(z.looseObject({ stageId: z.string(), method: z.string() })),
    edges: z.array(z.looseObject({ from: z.string(), to: z.string(), fanOut: z.number().optional() })),
    outputs: z.array(z.looseObject({ from: z.string() })),
  })
  .meta({ id: 'PipelineGraph' });

const pipelineCounts = z
  .looseObject({
    atEpochMs: z.number(),
    inFlight: z.int(),
    requests: z.looseObject({
      arrived: z.int(),
      completed: z.int(),
      withinSlo: z.int(),
      failed: z.int(),
      dropped: counts,
    }),
    latencyMs: z.looseObject({ p50: z.number(), atPercentile: z.number() }).optional(),
    stages: z.record(
      z.string(),
      z.looseObject({
        queueLength: z.int(),
        items: z.int(),
        batches: z.int(),
        busyMs: z.number(),
        waitMs: z.number().optional().describe('absent on the port of an operator'),
        failedItems: z.int(),
        dropped: counts,
      }),
    ),
    edges: z.array(z.looseObject({ offered: z.int(), taken: z.int(), fanOuts: z.int(), items: z.int() })),
  })
  .meta({ id: 'PipelineCounts' });

const use = { pas: z.number(), costPerHour: z.number(), cpuCores: z.number() };

const frontier = z
  .looseObject({
    arrivalRps: z.number(),
    points: z.array(z.looseObject({ ...use, plan })).optional(),
    complete: z.boolean().optional(),
    toleranceFraction: z.number().optional(),
    omittedPoints: z.int().optional(),
    result: z.looseObject({ kind: z.enum(['feasible', 'infeasible', 'not-found']) }).optional(),
    current: z.looseObject(use).optional(),
  })
  .meta({ id: 'FrontierAnswer' });

const profilePoint = z.looseObject({
  batchSize: z.int(),
  meanMs: z.number().optional(),
  p99Ms: z.number().optional(),
  fittedMs: z.number().optional(),
});

const variantProfile = z
  .looseObject({
    stageId: z.string(),
    variantId: z.string(),
    loadMs: z.number(),
    scaled: z.looseObject({ factor: z.number(), measuredOn: z.string() }).optional(),
    curves: z.array(z.looseObject({ cpuCores: z.number(), points: z.array(profilePoint) })),
  })
  .meta({ id: 'VariantProfile' });

/** Answers with status 200. */
export const answers = {
  pipelines: z.looseObject({ pipelines: z.array(pipeline) }).meta({ id: 'Pipelines' }),
  pipeline,
  runningPlan: z.looseObject({ stages: z.record(z.string(), runningStage) }).meta({ id: 'RunningPlan' }),
  graph,
  counts: pipelineCounts,
  frontier,
  profiles: z.looseObject({ profiles: z.array(variantProfile) }).meta({ id: 'Profiles' }),
  quarantine: z
    .looseObject({
      inputs: z.array(
        z.looseObject({ stageId: z.string(), tenant: z.string().optional(), digest: z.string(), leftMs: z.number() }),
      ),
    })
    .meta({ id: 'Quarantine' }),
  history: z
    .looseObject({ stepMs: z.number(), points: z.array(historyPoint), latencies: z.array(latencyBucket) })
    .meta({ id: 'History' }),
  incidentCard,
  requests: z.looseObject({ tracing: z.boolean(), requests: z.array(tracedRequest) }).meta({ id: 'TracedRequests' }),
  sources: z.looseObject({ sources: z.array(z.looseObject({ name: z.string() })) }).meta({ id: 'SourceParts' }),
  freed: z.looseObject({ freed: z.int() }),
  planned,
  decisions: z
    .looseObject({
      decisions: z.array(
        z.looseObject({ ...entry, kind: z.enum(['hold', 'apply']).optional(), reason: z.string().optional() }),
      ),
      nextBefore: z.int().optional(),
    })
    .meta({ id: 'DecisionPage' }),
  record,
  acted,
} as const;
