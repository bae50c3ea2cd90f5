/** Parity of control sessions: a planner worker makes the decisions of the simulated loop at the same ticks. */
import { firstPlan, simulateControl, type Tick, type TickAnswer } from '@equipoise/core/control';
import { type Observation, type PipelineSpec, SeededRng, stageId, variantId } from '@equipoise/core/model';
import { arrivalsOf } from '@equipoise/core/simulate';
import { describe, expect, it } from 'vitest';
import { type PlannerMessage, PlannerWorker } from './planner.js';
import { controllerRules } from './planning-session.js';
import { playedSetup } from './replay-log.test-support.js';

const a = stageId('a');
const [stage] = playedSetup.spec.stages;
const spec: PipelineSpec = {
  ...playedSetup.spec,
  stages:
    stage === undefined ? [] : [{ ...stage, variants: stage.variants.map((each) => ({ ...each, loadMs: 1500 })) }],
};
const setup = { ...playedSetup, spec, workStageRequests: 1000 };
const load = {
  kind: 'square-wave',
  levels: [
    { arrivalRps: 12, holdS: 33 },
    { arrivalRps: 70, holdS: 27 },
  ],
  durationS: 150,
} as const;

/** A tick, and the observation that arrived during its planning. */
interface RecordedTick {
  readonly tick: Tick;
  readonly later: Observation | undefined;
}

type Over = Partial<Parameters<typeof simulateControl>[0]>;

/** Cached runs by their parameters. */
const runs = new Map<string, ReturnType<typeof simulatedRun>>();

function simulated(over: Over): ReturnType<typeof simulatedRun> {
  const key = JSON.stringify(over);
  const run = runs.get(key) ?? simulatedRun(over);
  runs.set(key, run);
  return run;
}

function simulatedRun(over: Over) {
  const context = controllerRules(setup);
  const ticks: RecordedTick[] = [];
  const run = simulateControl({
    context,
    hostCores: setup.hostCores,
    seed: 1,
    firstPlan: firstPlan(context, load, 1),
    arrivals: arrivalsOf(load, new SeededRng(1)),
    onTick: (tick, later) => ticks.push({ tick, later }),
    ...over,
  });
  return { ticks, decisions: run.decisions.map(({ decision, trigger }) => ({ decision, trigger })) };
}

/** Decisions of a planner worker at the same ticks and later observations. */
function served(ticks: readonly RecordedTick[]) {
  const answers: TickAnswer[] = [];
  const port: PlannerMessage[] = [];
  const worker = new PlannerWorker({
    post: ({ answer }) => answers.push(answer as TickAnswer),
    takeIn: () => {
      for (const message of port.splice(0)) worker.take(message);
    },
    nowMs: () => 0,
  });
  worker.take({ kind: 'open', session: 1, setup });
  for (const [id, { tick, later }] of ticks.entries()) {
    if (later !== undefined) port.push({ kind: 'show', session: 1, observation: later });
    worker.take({ kind: 'ask', session: 1, id, task: { kind: 'tick', ...tick } });
    worker.work();
  }
  return answers.flatMap(({ decision, trigger }) => (decision === undefined ? [] : [{ decision, trigger }]));
}

const small = { [a]: { variantId: variantId('small') } };
const pinning = [
  { atMs: 15_000, pins: small },
  { atMs: 90_000, pins: {} },
];
const byHand = firstPlan(controllerRules(setup), { kind: 'poisson', arrivalRps: 40, durationS: 20 }, 1);

type Case = readonly [string, Over];

const usual: readonly Case[] = [
  ['without a person', {}],
  [
    'with plans that take 4 s, which bursts and a person preempt',
    {
      planningMs: 4000,
      actions: [
        { atMs: 51_500, pins: small },
        { atMs: 101_500, pins: {} },
      ],
    },
  ],
];
const further: readonly Case[] = [
  [
    'with advice and a pause',
    {
      actions: [
        { atMs: 20_000, mode: 'advise' },
        { atMs: 75_000, mode: 'off' },
        { atMs: 95_000, mode: 'auto' },
      ],
    },
  ],
  ['with pins', { actions: pinning }],
  [
    'with a plan by hand',
    {
      actions: [
        { atMs: 42_000, plan: byHand },
        { atMs: 80_000, mode: 'auto' },
      ],
    },
  ],
];
const isWhole = process.env['EQUIPOISE_SEEDS'] === 'all';
const cases = isWhole ? [...usual, ...further] : usual;

describe('a planner worker decides as the simulated loop does', { timeout: 120_000 }, () => {
  it.each(cases)('%s', (_, over) => {
    const { ticks, decisions } = simulated(over);
    expect(decisions.length).toBeGreaterThan(5);
    expect(decisions.some(({ trigger }) => trigger === 'burst')).toBe(true);
    expect(served(ticks)).toEqual(decisions);
  });
});

describe('a person and pre-emption', { timeout: 120_000 }, () => {
  it('change what is decided', () => {
    const plain = simulated({}).decisions;
    for (const [, over] of cases.slice(1)) expect(simulated(over).decisions).not.toEqual(plain);
    if (!isWhole) return;
    const slow = simulated({ planningMs: 4000 });
    expect(slow.ticks.some(({ later }) => later !== undefined)).toBe(true);
    expect(slow.decisions).not.toEqual(plain);
    expect(simulated({ actions: pinning }).decisions).not.toEqual(plain);
  });
});
