/** Scenarios at the boundaries of rules: a fan-out without items, two open branches, an exact deadline, a lost part. */
import { type EdgeSpec, stageId } from '@equipoise/core/model';
import { requireCurves, type ServiceCurves } from '@equipoise/core/plan';
import type { NamedScenario } from './named-scenarios.test-support.js';
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

const [a, b, c, d] = [stageId('a'), stageId('b'), stageId('c'), stageId('d')];

interface Boundary extends Partial<Omit<Scenario, 'plan' | 'spec' | 'curves' | 'clients'>> {
  readonly edges?: readonly EdgeSpec[];
  readonly arrivals: readonly number[];
  /** Applies to every stage. */
  readonly plan?: Parameters<typeof stagePlanOf>[0];
  readonly over?: Parameters<typeof specOf>[2];
  readonly timeoutMs?: (sequence: number) => number;
}

/** Batches of 1 take 5 ms, batches of 8 take 12 ms. */
function boundary({ edges = [], arrivals, plan = {}, over, timeoutMs = () => 500, ...more }: Boundary): Scenario {
  const ids = [...new Set([a, ...edges.flatMap(({ from, to }) => [from, to])])].sort();
  const last = ids.filter((id) => !edges.some(({ from }) => from === id));
  const stages = ids.map((id) => ({ ...stageOf(id, [variantOf('v', { one: 5, eight: 12 })]), idempotent: true }));
  const spec = specOf({ entry: a, edges, outputs: last.map((from) => ({ from })) }, stages, over);
  return scenarioOf(spec, {
    plan: planOfStages(spec, [stagePlanOf(plan)]),
    arrivals,
    clients: { timeoutMs, patienceMs: () => Number.POSITIVE_INFINITY },
    ...more,
  });
}

/** Assumed service times of stage `a`. */
const believing = (oneMs: number): ServiceCurves => {
  const stages = [stageOf(a, [variantOf('v', { one: oneMs, eight: 12 })])];
  return requireCurves(specOf({ entry: a, edges: [], outputs: [{ from: a }] }, stages), []);
};

const every = (gapMs: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => (i + 1) * gapMs);

const faultOf = (replica: string, fault: ReplicaFault): FaultSchedule => ({
  startFails: () => false,
  faultsOf: (_stage, { replicaId }) => (replicaId === replica ? [fault] : []),
});

const pair: readonly EdgeSpec[] = [{ from: a, to: b }];
const open = (index: number) => ({ condition: conditionOf(index, false), probability: 0.5 });

export const boundaryScenarios: readonly NamedScenario[] = [
  {
    name: 'a fan-out that sometimes gives no items',
    scenario: boundary({
      edges: [
        { from: a, to: b, fanOut: { expected: 0.5 } },
        { from: b, to: c, join: 'all' },
      ],
      arrivals: every(9, 40),
    }),
    shows: [/ b-v-/, / c-v-/, /completed/],
  },
  {
    name: 'a request that enters at two stages, which answer together',
    scenario: boundary({
      edges: [
        { from: a, to: c },
        { from: b, to: c },
      ],
      arrivals: every(6, 40),
      over: { sources: [{ name: 'input', to: [a, b], tensors: [] }] },
    }),
    shows: [/ a-v-/, / b-v-/, / c-v-/, /completed/],
  },
  {
    name: 'two ways that are both open: the first is taken',
    scenario: boundary({
      edges: [
        { from: a, to: b, when: open(0) },
        { from: a, to: c, when: open(1) },
        { from: b, to: d },
        { from: c, to: d },
      ],
      arrivals: every(9, 40),
    }),
    shows: [/ b-v-/, / c-v-/, / d-v-/, /completed/],
  },
  {
    name: 'an item reaches a stage at its very deadline',
    scenario: boundary({
      edges: pair,
      arrivals: every(50, 5),
      timeoutMs: () => 20,
      faults: faultOf('a-v-1', { kind: 'slow', fromMs: 0, untilMs: 1_000, factor: 4 }),
    }),
    shows: [/deadline-passed/],
    hides: [/deadline-unreachable/, /completed/],
  },
  {
    name: 'a batch that would be too long for its most urgent item is made smaller',
    scenario: boundary({
      arrivals: new Array<number>(9).fill(10),
      plan: { maxBatchSize: 8 },
      timeoutMs: () => 16,
    }),
    shows: [/deadline-unreachable/, /\[(-?\d+ ){6}-?\d+\]/],
    hides: [/\[(-?\d+ ){7}-?\d+\]/],
  },
  {
    name: 'the time behind a stage counts against the deadline',
    scenario: boundary({
      edges: [...pair, { from: b, to: c }],
      arrivals: every(20, 20),
      timeoutMs: (sequence) => (sequence % 2 === 0 ? 12 : 40),
    }),
    shows: [/deadline-unreachable/, /completed/],
    hides: [/deadline-passed/],
  },
  {
    // Pairs 20 ms apart on one replica of 5 ms: the second request would end 10 ms after its arrival, exactly at its
    // deadline.
    name: 'a request that would be done at its deadline leaves no time for the answer',
    scenario: boundary({
      arrivals: every(20, 20).flatMap((atMs) => [atMs, atMs]),
      timeoutMs: () => 10,
      over: { admission: { maxQueueLength: 100, answerMarginMs: 1 } },
    }),
    shows: [/^25 of 20 completed$/m, /^24 of 20 deadline-unreachable$/m],
  },
  {
    // Pairs 20 ms apart on one replica of 5 ms, so the second request of a pair ends 10 ms after its arrival. Until the
    // tick at 100 ms, drop rules assume 1 ms.
    name: 'drop rules follow service times that turn out to be others',
    scenario: boundary({
      arrivals: every(20, 20).flatMap((atMs) => [atMs, atMs]),
      timeoutMs: () => 8,
      tickMs: 100,
      believedCurves: [believing(1), believing(5)],
    }),
    shows: [/^90 of 80 completed$/m, /^1[0-9]{2} of 120 deadline-unreachable$/m],
    hides: [/ of 80 deadline/, /^130 of 120/m],
  },
  {
    name: 'a request without time to spare is not given up for its answer',
    scenario: boundary({
      edges: [...pair, { from: b, to: c }],
      arrivals: every(20, 20),
      timeoutMs: () => 15,
      over: { admission: { maxQueueLength: 100, answerMarginMs: 10 } },
    }),
    shows: [/completed/],
    hides: [/deadline/],
  },
  {
    name: 'too many items of a quorum are lost',
    scenario: boundary({
      edges: [
        { from: a, to: b, fanOut: { expected: 4 } },
        { from: b, to: c, join: { quorum: 2 } },
      ],
      arrivals: every(7, 40),
      over: { admission: { maxQueueLength: 4 } },
    }),
    shows: [/queue-full/, /completed/],
  },
  {
    name: 'a fan-out gives more items than may wait',
    scenario: boundary({
      edges: [
        { from: a, to: b, fanOut: { expected: 3, distribution: [0, 0, 0.5, 0, 0.5] } },
        { from: b, to: c, join: { quorum: 2 } },
      ],
      arrivals: every(30, 40),
      over: { admission: { maxQueueLength: 3 } },
    }),
    shows: [/ failed$/m, /completed/, /a tick saw [1-9]/],
    hides: [/queue-full/],
  },
  {
    name: 'stages that wait for one core go by their deadlines',
    scenario: boundary({
      edges: pair,
      arrivals: every(8, 60),
      plan: { replicas: 2 },
      hostCores: 1,
      timeoutMs: (sequence) => 60 + 40 * (sequence % 4),
    }),
    shows: [/completed/],
  },
  {
    name: 'a share of a core is used up, and again after a rest',
    scenario: boundary({
      arrivals: [...every(4, 60), ...every(4, 60).map((atMs) => atMs + 1_000)],
      plan: { cpuCores: 0.5 },
      timeoutMs: () => 5_000,
    }),
    // Each batch takes 5 ms of the quota of 50 ms and regains 2.5 ms. Once the quota is used up, batches start 10 ms
    // apart.
    shows: [/completed/],
  },
  {
    name: 'a batch is lost when the time for another try is over',
    scenario: boundary({
      arrivals: [10, 100],
      plan: { replicas: 2 },
      timeoutMs: () => 8,
      faults: faultOf('a-v-1', { kind: 'crash', atMs: 14 }),
    }),
    shows: [/ failed$/m],
    hides: [/deadline/],
  },
];
