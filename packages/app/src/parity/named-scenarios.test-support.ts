/** One scenario per shared behaviour of simulator and data plane, with required traces. */
import {
  type EdgeSpec,
  type SourceSpec,
  type StageId,
  type StagePlan,
  stageId,
  type VariantSpec,
} from '@equipoise/core/model';
import { conditionOf } from './random-graph.test-support.js';
import type { FaultSchedule, ReplicaFault } from './scenario.test-support.js';
import {
  planOfStages,
  type Scenario,
  scenarioOf,
  specOf,
  stageOf,
  stagePlanOf,
  variantOf,
} from './scenario.test-support.js';

/** Scenario with patterns that its trace must match. */
export interface NamedScenario {
  readonly name: string;
  readonly scenario: Scenario;
  readonly shows: readonly RegExp[];
  /** Patterns that the trace must not match. */
  readonly hides?: readonly RegExp[];
}

const [a, b, c, d] = [stageId('a'), stageId('b'), stageId('c'), stageId('d')];
const [e, f] = [stageId('e'), stageId('f')];
const v = variantOf('v', { one: 5, eight: 12 });
const w = variantOf('w', { one: 9, eight: 30, spread: 2 });

/** `count` arrivals `gapMs` apart, beginning at `gapMs`. */
const every = (gapMs: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => (i + 1) * gapMs);

interface Made extends Partial<Omit<Scenario, 'plan' | 'arrivals' | 'spec' | 'nextPlans'>> {
  readonly edges?: readonly EdgeSpec[];
  readonly arrivals: readonly number[];
  /** Plans by stage; a missing plan repeats the last one. */
  readonly plan: readonly Partial<StagePlan & { readonly cpuCores: number }>[];
  readonly next?: readonly (readonly Partial<StagePlan & { readonly cpuCores: number }>[])[];
  readonly over?: Parameters<typeof specOf>[2];
  readonly variants?: readonly VariantSpec[];
  /** Applies to all stages. */
  readonly idempotent?: boolean;
}

function made({
  edges = [],
  arrivals,
  plan,
  next = [],
  over,
  variants = [v, w],
  idempotent = true,
  ...more
}: Made): Scenario {
  const ids = [...new Set([a, ...edges.flatMap(({ from, to }) => [from, to])])].sort();
  const last = ids.filter((id) => !edges.some(({ from }) => from === id));
  const graph = { entry: a, edges, outputs: last.map((from) => ({ from })) };
  const spec = specOf(
    graph,
    ids.map((id) => ({ ...stageOf(id, variants), idempotent })),
    over,
  );
  return scenarioOf(spec, {
    plan: planOfStages(spec, plan.map(stagePlanOf)),
    nextPlans: next.map((stages) => planOfStages(spec, stages.map(stagePlanOf))),
    arrivals,
    ...more,
  });
}

/** Faults of the named replicas. */
function faults(
  byReplica: Readonly<Record<string, readonly ReplicaFault[]>>,
  failedStarts: readonly string[] = [],
): FaultSchedule {
  return {
    startFails: (_stage, { replicaId }) => failedStarts.includes(replicaId),
    faultsOf: (_stage, { replicaId }) => byReplica[replicaId] ?? [],
  };
}

const sourceTo = (name: string, ...to: readonly StageId[]): SourceSpec => ({
  name,
  to,
  tensors: [{ name: `${name}.key`, datatype: 'INT32', shape: [1], contentTypes: [] }],
});
const chain: readonly EdgeSpec[] = [
  { from: a, to: b },
  { from: b, to: c },
];
const group: readonly EdgeSpec[] = [
  { from: a, to: b, fanOut: { expected: 2.5 } },
  { from: b, to: c, join: 'all' },
];
/** Two members of two stages each. */
const members: readonly EdgeSpec[] = [
  { from: a, to: b },
  { from: b, to: c },
  { from: c, to: f, onMissing: 'partial' },
  { from: a, to: d },
  { from: d, to: e },
  { from: e, to: f, onMissing: 'partial' },
];
/** By stage: the plan omits the second member, or the first one. */
const [first, second] = [
  [{ replicas: 2 }, { replicas: 2 }, { replicas: 2 }, { replicas: 0 }, { replicas: 0 }, { replicas: 2 }],
  [{ replicas: 2 }, { replicas: 0 }, { replicas: 0 }, { replicas: 2 }, { replicas: 2 }, { replicas: 2 }],
] as const;
const steady = { arrivals: every(4, 60) };
const patient = { timeoutMs: () => 80, patienceMs: () => Number.POSITIVE_INFINITY };
/** Half a minute under load, in which the plan switches to the other variant. */
const canary = { arrivals: every(20, 1_700), plan: [{ replicas: 2 }], next: [[{ variantId: w.id, replicas: 2 }]] };
const tried = { control: { mode: 'auto', intervalMs: 1_000, minDwellMs: 0 } } as const;
const relaxed = { slo: { latencyMs: 5_000, percentile: 99 } };

export const namedScenarios: readonly NamedScenario[] = [
  {
    name: 'a chain, one item a batch',
    scenario: made({ edges: chain, arrivals: every(6, 60), plan: [{}] }),
    shows: [/completed/],
  },
  {
    name: 'a chain, batches of eight',
    scenario: made({ edges: chain, arrivals: every(1, 60), plan: [{ maxBatchSize: 8 }], over: relaxed }),
    shows: [/\[(-?\d+ ){7}-?\d+\]/],
  },
  {
    name: 'two sources, one of which enters two stages and is often missing',
    scenario: made({
      edges: [
        { from: a, to: c },
        { from: b, to: c },
      ],
      arrivals: every(6, 60),
      plan: [{}],
      over: { sources: [sourceTo('left', a), { ...sourceTo('right', b, c), onMissing: 'partial', share: 0.5 }] },
    }),
    shows: [/completed/, /b-v-1/],
  },
  {
    name: 'waits for companions',
    scenario: made({ arrivals: every(4, 40), plan: [{ maxBatchSize: 8, maxBatchWaitMs: 10 }], over: relaxed }),
    shows: [/^14 a-v-1 \S+ \[\S+ \S+ \S+\]$/m],
  },
  {
    name: 'shares below one core',
    scenario: made({ edges: chain, arrivals: every(7, 60), plan: [{ cpuCores: 0.5, replicas: 2 }], over: relaxed }),
    shows: [/completed/],
  },
  {
    name: 'two cores for the threads of three stages',
    scenario: made({ edges: chain, ...steady, plan: [{ replicas: 2 }], hostCores: 2, over: relaxed }),
    shows: [/completed/],
  },
  {
    name: 'full queues',
    scenario: made({ arrivals: every(1, 80), plan: [{}], over: { ...relaxed, admission: { maxQueueLength: 3 } } }),
    shows: [/queue-full/],
  },
  {
    name: 'deadlines that cannot be kept, some of them too late already in the second stage',
    scenario: made({
      edges: [{ from: a, to: b }],
      arrivals: every(3, 80),
      plan: [{}],
      variants: [variantOf('v', { one: 4, eight: 8, spread: 12 })],
      over: { slo: { latencyMs: 30, percentile: 99 } },
    }),
    shows: [/deadline-unreachable/, /deadline-passed/],
  },
  {
    name: 'clients with deadlines and patience of their own',
    scenario: made({
      arrivals: every(3, 60),
      plan: [{}],
      clients: {
        timeoutMs: (sequence) => 20 + (sequence % 7) * 10,
        patienceMs: (sequence) => (sequence % 3 === 0 ? 12 : Number.POSITIVE_INFINITY),
      },
    }),
    shows: [/cancelled/, /deadline/],
  },
  {
    name: 'priorities in overload: the least urgent are dropped, but for their share',
    scenario: made({
      arrivals: every(2, 120),
      plan: [{ maxBatchSize: 2 }],
      over: { admission: { maxQueueLength: 12, priorities: { shares: [0.1, 0.3, 0.1], default: 2 } } },
      clients: { ...patient, priority: (sequence) => sequence % 4 },
    }),
    shows: [/queue-full/, /completed/],
  },
  {
    name: 'waits that are bounded by what is expected',
    scenario: made({
      edges: chain,
      arrivals: every(2, 120),
      plan: [{ maxBatchSize: 2 }, { maxBatchSize: 4, replicas: 2 }],
      over: { admission: { maxQueueLength: 100, maxWaitFraction: 0.5 } },
    }),
    shows: [/wait-too-long/, /completed/],
    hides: [/deadline/],
  },
  {
    name: 'a join goes on without the items that fail',
    scenario: made({
      edges: [
        { from: a, to: b, fanOut: { expected: 3 } },
        { from: b, to: c, join: 'all', onMissing: 'partial' },
      ],
      arrivals: every(20, 60),
      plan: [{}, { replicas: 2 }],
      over: relaxed,
      faults: faults({ 'b-v-1': [{ kind: 'failing', fromMs: 100, untilMs: 160 }] }),
    }),
    shows: [/ partial 1$/m, /completed/],
  },
  {
    name: 'a stage goes on without the input that is given up, unless there is no other',
    scenario: made({
      edges: [
        { from: a, to: b },
        { from: a, to: c },
        { from: b, to: d, onMissing: 'partial' },
        { from: c, to: d, onMissing: 'partial' },
      ],
      arrivals: every(6, 60),
      plan: [{}, { variantId: w.id }, { variantId: w.id, maxBatchSize: 2 }, {}],
      over: { slo: { latencyMs: 60, percentile: 99 } },
    }),
    shows: [/ partial 1$/m, / completed$/m, /deadline-unreachable/],
  },
  {
    name: 'a server that is stopped',
    scenario: made({ ...steady, plan: [{}], drainsAtMs: 100 }),
    shows: [/draining/, /completed/],
  },
  {
    name: 'fan-out and join',
    scenario: made({ edges: group, arrivals: every(9, 60), plan: [{ maxBatchSize: 4, replicas: 2 }], over: relaxed }),
    shows: [/completed/],
  },
  {
    name: 'branches, a quorum and the first of two ways',
    scenario: made({
      edges: [
        { from: a, to: b, when: { condition: conditionOf(0, false), probability: 0.4 } },
        { from: a, to: c, when: { condition: conditionOf(1, false), probability: 0.4 } },
        { from: a, to: d, join: 'any' },
        { from: b, to: d, join: 'any' },
        { from: c, to: d, join: 'any' },
      ],
      ...steady,
      plan: [{ replicas: 2 }],
      over: relaxed,
    }),
    shows: [/ b-v-/, / c-v-/, / d-v-/],
  },
  {
    name: 'the first items of a fan-out are enough',
    scenario: made({
      edges: [
        { from: a, to: b, fanOut: { expected: 4 } },
        { from: b, to: c, join: { quorum: 2 } },
      ],
      arrivals: every(11, 40),
      plan: [{}, { replicas: 2 }],
      over: relaxed,
    }),
    shows: [/completed/],
  },
  {
    name: 'grows and shrinks under load',
    scenario: made({ ...steady, plan: [{}], next: [[{ replicas: 3 }], [{ replicas: 1 }]], over: relaxed }),
    shows: [/a-v-3:ready/, /^\S*[1-9]\S* a 1\/0 a-v-1:ready$/m],
  },
  {
    name: 'switches the variant under load, rolling within the budget',
    scenario: made({
      ...steady,
      plan: [{ replicas: 3 }],
      next: [[{ variantId: w.id, replicas: 3, maxBatchSize: 4 }]],
      over: { ...relaxed, budget: { cpuCores: 3 } },
    }),
    shows: [/a 4\/0 .*a-v-3:ready a-w-4:ready/, /a-w-6:ready$/m],
  },
  {
    name: 'shares by variant, while the variants are switched under load',
    scenario: made({
      edges: [
        {
          ...{ from: a, to: b, fanOut: { expected: 3, byVariant: { [v.id]: 2, [w.id]: 4 } } },
          when: { condition: conditionOf(0, true), probability: 0.5, byVariant: { [v.id]: 0.9, [w.id]: 0.2 } },
        },
        { from: b, to: c, join: 'all' },
      ],
      arrivals: every(10, 120),
      plan: [{ maxBatchSize: 4, replicas: 2 }],
      next: [[{ variantId: w.id, maxBatchSize: 4, replicas: 2 }]],
      tickMs: 400,
      over: relaxed,
    }),
    // Behind v an output becomes two items, behind w four.
    shows: [/^\d+ b-\S+ \S+ \[\S+ \S+\]$/m, /^[4-9]\d\d\S* b-w-\S+ \S+ \[\S+ \S+ \S+ \S+\]$/m],
  },
  {
    name: 'a member takes the place of another under load',
    scenario: made({ edges: members, ...steady, plan: first, next: [second, first], tickMs: 80, over: relaxed }),
    shows: [/^\d+\S* c-v-/m, /^\d+\S* e-v-/m, /b-v-1:draining/, /d-v-\d+:draining/],
    hides: [/ failed$/m],
  },
  {
    name: 'a member takes the place of another within the budget, which has no cores for both',
    scenario: made({
      ...{ edges: members, arrivals: every(40, 60), plan: first, next: [second] },
      over: { ...relaxed, budget: { cpuCores: 8 } },
    }),
    // No change waits for the old stages, which serve until the last of the new ones is ready.
    shows: [/^\d+\S* c-v-/m, /^\d+\S* e-v-/m, /^35 .*d-v-2:ready/m, /^45 .*e-v-2:ready/m],
    hides: [/ failed$/m],
  },
  {
    name: 'a change without room is refused',
    scenario: made({
      ...steady,
      plan: [{ replicas: 2 }],
      next: [[{ variantId: w.id, replicas: 2 }]],
      over: {
        ...relaxed,
        budget: { cpuCores: 2 },
        control: { mode: 'auto', intervalMs: 1_000, minDwellMs: 0, surgeCpuCores: 0, canary: false },
      },
    }),
    shows: [/^0 a 1\/0 a-v-1:ready a-v-2:ready$/m],
  },
  {
    name: 'a good variant gets its requests in steps',
    scenario: made({ ...canary, over: { ...tried, ...relaxed } }),
    shows: [/ w gets 0\.1$/m, / w gets 0\.5$/m, /a 1\/0 a-w-\d+:ready a-w-\d+:ready$/m],
  },
  {
    name: 'a good variant gets half of few requests early',
    scenario: made({ ...canary, arrivals: every(250, 170), over: { ...tried, ...relaxed } }),
    shows: [/ w gets 0\.1$/m, / w gets 0\.5$/m, /a 1\/0 a-w-\d+:ready a-w-\d+:ready$/m],
  },
  {
    name: 'a variant that fails some batches is rolled back, and what failed runs again',
    scenario: made({
      ...{ ...canary, over: { ...tried, ...relaxed } },
      faults: faults({ 'a-w-3': [{ kind: 'failing', fromMs: 0, untilMs: 60_000, fraction: 0.2 }] }),
    }),
    shows: [/ w gets 0\.1$/m, /a 1\/0 a-v-1:ready a-v-2:ready$/m],
    hides: [/ w gets 1/, / failed$/m],
  },
  {
    name: 'a variant that misses the SLO is rolled back',
    scenario: made({
      ...{ ...canary, over: { ...tried, slo: { latencyMs: 20, percentile: 99 } } },
      faults: faults({ 'a-w-3': [{ kind: 'slow', fromMs: 0, untilMs: 60_000, factor: 3 }] }),
    }),
    shows: [/ w gets 0\.1$/m, /a 1\/0 a-v-1:ready a-v-2:ready$/m],
    hides: [/ w gets 0\.5/],
  },
  {
    name: 'a variant that is too slow for all requests is rolled back before it misses the SLO',
    scenario: made({
      ...{ ...canary, over: { ...tried, slo: { latencyMs: 250, percentile: 99 } } },
      variants: [v, variantOf('w', { one: 24, eight: 60, spread: 1.5 })],
      faults: faults({ 'a-w-3': [{ kind: 'slow', fromMs: 0, untilMs: 60_000, factor: 1.8 }] }),
    }),
    shows: [/ w gets 0\.1$/m, /a 1\/0 a-v-1:ready a-v-2:ready$/m],
    hides: [/ w gets 0\.5/, /deadline/],
  },
  {
    name: 'a canary that loses a replica is rolled back',
    scenario: made({
      ...{ ...canary, over: { ...tried, ...relaxed } },
      faults: faults({ 'a-w-3': [{ kind: 'crash', atMs: 2_000 }] }),
    }),
    shows: [/ w gets 0\.1$/m, /a 1\/0 a-v-1:ready a-v-2:ready$/m],
  },
  {
    name: 'changes batching, then resources',
    scenario: made({
      ...{
        ...steady,
        plan: [{ replicas: 2 }],
        next: [[{ replicas: 2, maxBatchSize: 8 }], [{ cpuCores: 2, maxBatchSize: 8 }]],
      },
      over: relaxed,
    }),
    shows: [/a 8\/0 a-v-1:ready a-v-2:ready$/m, /a-v-3:ready/],
  },
  {
    name: 'a replica crashes in its batch, another while it is free',
    scenario: made({
      arrivals: every(9, 60),
      plan: [{ replicas: 2 }],
      over: relaxed,
      faults: faults({ 'a-v-1': [{ kind: 'crash', atMs: 22 }], 'a-v-2': [{ kind: 'crash', atMs: 88 }] }),
    }),
    shows: [/a-v-3:failed/, /a-v-\d+:starting/, /^22 a-v-2 \S+ \[(\S+)\][\s\S]*/m],
    hides: [/ failed$/m],
  },
  {
    name: 'a batch that may not be run twice is lost with its replica',
    scenario: made({
      arrivals: every(9, 60),
      plan: [{ replicas: 2 }],
      over: relaxed,
      idempotent: false,
      faults: faults({ 'a-v-1': [{ kind: 'crash', atMs: 22 }], 'a-v-2': [{ kind: 'crash', atMs: 93 }] }),
    }),
    shows: [/ failed$/m],
  },
  {
    name: 'a batch is lost twice, and lost so late that it is not tried again',
    scenario: made({
      arrivals: every(9, 60),
      plan: [{ replicas: 2, maxBatchSize: 8 }],
      over: { slo: { latencyMs: 14, percentile: 99 } },
      faults: faults({
        'a-v-1': [{ kind: 'crash', atMs: 20 }],
        'a-v-2': [{ kind: 'crash', atMs: 24 }],
        'a-v-3': [{ kind: 'crash', atMs: 191 }],
      }),
    }),
    shows: [/^24 of 18 failed$/m],
  },
  {
    name: 'the only replica crashes again and again',
    scenario: made({
      arrivals: every(8, 120),
      plan: [{}],
      faults: {
        startFails: () => false,
        faultsOf: (_stage, _replica, readyAtMs) => [{ kind: 'crash', atMs: readyAtMs + 33 }],
      },
    }),
    shows: [/no-ready-replica/, /failed/],
  },
  {
    name: 'the new replicas of a change crash while they are phased in',
    scenario: made({
      ...steady,
      plan: [{ replicas: 3 }],
      next: [[{ variantId: w.id, replicas: 3 }]],
      over: { ...relaxed, budget: { cpuCores: 3 } },
      faults: faults({ 'a-w-4': [{ kind: 'crash', atMs: 41 }], 'a-v-3': [{ kind: 'crash', atMs: 37 }] }),
    }),
    shows: [/a-w-\d+:failed/, /a-w-\d+:ready/],
  },
  {
    name: 'a start fails in the middle of a change, which is taken back',
    scenario: made({
      arrivals: every(4, 120),
      plan: [{ replicas: 3 }],
      next: [[{ variantId: w.id, replicas: 3 }]],
      over: { ...relaxed, budget: { cpuCores: 3 } },
      faults: faults({}, ['a-w-5']),
    }),
    shows: [/a-w-4:ready/, /a-v-\d+:failed/, /a 1\/0 a-v-\d+:ready a-v-\d+:ready a-v-\d+:ready$/m],
  },
  {
    name: 'a replica hangs and is then to be drained',
    scenario: made({
      ...steady,
      plan: [{ replicas: 2 }],
      next: [[{ replicas: 2 }], [{ variantId: w.id, replicas: 2 }]],
      faults: faults({ 'a-v-1': [{ kind: 'hang', atMs: 33 }] }),
    }),
    shows: [/a-v-1:draining/],
  },
  {
    name: 'a replica hangs on one input: it is refused, and the replacement has started before',
    scenario: made({
      arrivals: every(9, 90),
      plan: [{ replicas: 2 }],
      over: relaxed,
      faults: faults({ 'a-v-1': [{ kind: 'hang', atMs: 33 }] }),
    }),
    shows: [/^236 .*a-v-1:ready.*a-v-3:starting/m, /^436 a 1\/0 a-v-2:ready a-v-3:ready$/m, / of 36 failed$/m],
    hides: [/a-v-3:failed/, / of (?!36 )\d+ failed$/m],
  },
  {
    name: 'a replica hangs in a batch of several: each runs once more, alone',
    scenario: made({
      arrivals: every(1, 90),
      plan: [{ replicas: 2, maxBatchSize: 8 }],
      over: relaxed,
      faults: faults({ 'a-v-1': [{ kind: 'hang', atMs: 33 }] }),
    }),
    shows: [/a-v-3:ready/, /^4\d\d a-v-2 \S+ \[\S+\]$/m],
    hides: [/ failed$/m],
  },
  {
    name: 'a stage hangs on some inputs, whichever replica runs them: those alone fail',
    scenario: made({
      arrivals: every(2, 400),
      plan: [{ replicas: 3, maxBatchSize: 4 }],
      over: relaxed,
      faults: { ...faults({}), hangsOn: (_, key) => (key & 63) === 0 },
    }),
    shows: [/ failed$/m, /a-v-5:ready/],
    hides: [/no-ready-replica|deadline/],
  },
  {
    name: 'a replica fails every batch: its breaker opens, and it is replaced in the end',
    scenario: made({
      arrivals: every(5, 1_800),
      plan: [{ replicas: 3 }],
      over: relaxed,
      faults: faults({ 'a-v-1': [{ kind: 'failing', fromMs: 20, untilMs: Number.POSITIVE_INFINITY }] }),
    }),
    shows: [/ failed$/m, /a-v-1:draining|a-v-4:failed/, /a-v-5:ready$/m],
  },
  {
    name: 'a replica recovers while its breaker is open',
    scenario: made({
      arrivals: every(5, 500),
      plan: [{ replicas: 2 }],
      over: relaxed,
      faults: faults({ 'a-v-1': [{ kind: 'failing', fromMs: 20, untilMs: 300 }] }),
    }),
    shows: [/ failed$/m, /^1\d\d\d a-v-1 /m],
    hides: [/a-v-1:draining/],
  },
  {
    name: 'a replica is much slower than its peer',
    scenario: made({
      arrivals: every(40, 250),
      plan: [{ replicas: 2 }],
      over: relaxed,
      variants: [variantOf('v', { one: 50, eight: 80 })],
      faults: faults({ 'a-v-1': [{ kind: 'slow', fromMs: 0, untilMs: Number.POSITIVE_INFINITY, factor: 4 }] }),
    }),
    shows: [/a-v-3:failed/, /a-v-4:ready$/m],
  },
  {
    name: 'a replica is slow for a while',
    scenario: made({
      arrivals: every(9, 60),
      plan: [{ replicas: 2 }],
      faults: faults({ 'a-v-1': [{ kind: 'slow', fromMs: 50, untilMs: 150, factor: 4 }] }),
    }),
    shows: [/ a-v-1 20 /, / a-v-1 5 /],
  },
];
