/**
 * Random pipelines, loads and plans under the simulator, with invariants that every run must keep. Violations are
 * sentences. A digest covers the trace of a run (every batch and outcome, bit by bit).
 */
import { type Rng, SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { families, randomSpec } from '../optimize/random-problems.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import type { BatchPolicy } from '../serve/batch-policy.js';
import type { StageItem } from '../serve/request-state.js';
import { arrivalsOf, type LoadSpec } from './arrivals/load-spec.js';
import { priorityMix } from './priority-mix.js';
import { type FaultSchedule, randomFaults } from './replica-faults.js';
import { batchPolicies } from './serving-policies.js';
import { simulatePlan } from './simulate-plan.js';
import type { SimulatedReplica } from './simulated-fleet.js';
import type { SimulatedClients, SimulationInput } from './simulation-input.js';

export interface AuditedRun {
  /** One sentence per violated invariant. */
  readonly violations: readonly string[];
  /** Equal for equal runs, different for others. */
  readonly digest: string;
  readonly arrived: number;
  readonly completed: number;
  readonly batches: number;
  readonly failed: number;
  /** Items that started a second time. */
  readonly retries: number;
}

const REQUESTS = 120;
/** Tolerance for comparing instants, which are sums of many times. */
const ROUNDING_MS = 1e-6;

type Item = StageItem<number, undefined>;

/** Random setup. Small queues, CPU shares, few host cores, batch waits and overload all occur. */
export function randomSetup(seed: number): SimulationInput {
  const rng = new SeededRng(seed).fork('pipeline');
  const more = rng.fork('more');
  const family = families[seed % families.length] ?? 'chain';
  const spec: PipelineSpec = {
    ...randomSpec(family, seed, { variants: 2, replicas: 3, batches: 3 }),
    slo: { latencyMs: 20 + oneOf(rng, [120, 400, 1200]) * rng.next(), percentile: 99 },
    admission: { maxQueueLength: oneOf(rng, [1, 4, 1000]), ...randomPriorities(more), ...randomBound(more) },
  };
  return {
    spec,
    curves: requireCurves(spec, []),
    plan: randomPlan(spec, rng),
    arrivals: arrivalsOf(randomLoad(rng), rng.fork('arrivals')),
    rng: new SeededRng(seed),
    hostCores: oneOf(rng, [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 2]),
    drops: rng.next() < 0.7,
    ...(more.next() < 0.4 ? { clients: prioritized(spec, more) } : {}),
    ...(more.next() < 0.3 ? { faults: faultsFor(more), hostCores: Number.POSITIVE_INFINITY } : {}),
  };
}

function faultsFor(rng: Rng): FaultSchedule {
  const perHour = (meanMs: number) => 3_600_000 / meanMs;
  const rates = {
    crashesPerHour: oneOf(rng, [0, perHour(2_000)]),
    hangsPerHour: oneOf(rng, [0, perHour(4_000)]),
    poisonFraction: oneOf(rng.fork('poison'), [0, 0.02]),
    slowdownsPerHour: oneOf(rng, [0, perHour(2_000)]),
    failingSpellsPerHour: oneOf(rng, [0, perHour(2_000)]),
    slowMs: 3_000,
    slowFactor: 5,
    failingMs: 1_000,
    startFailureFraction: 0.2,
  };
  return randomFaults(rates, rng.fork('faults'));
}

function randomBound(rng: Rng): Partial<PipelineSpec['admission']> {
  return oneOf(rng.fork('wait'), [{}, {}, { maxWaitFraction: 0.7 }]);
}

function randomPriorities(rng: Rng): Partial<PipelineSpec['admission']> {
  return oneOf(rng, [{}, {}, { priorities: { shares: [0, 0, 0.3, 0.1], default: 3 } }]);
}

function prioritized({ slo }: PipelineSpec, rng: Rng): SimulatedClients {
  return {
    timeoutMs: () => slo.latencyMs,
    patienceMs: () => Number.POSITIVE_INFINITY,
    priority: priorityMix([0.2, 0.3, 0.3, 0.2], rng),
  };
}

function oneOf<T>(rng: Rng, values: readonly T[]): T {
  return values[Math.floor(rng.next() * values.length)] as T;
}

function randomLoad(rng: Rng): LoadSpec {
  const arrivalRps = 3 + 150 * rng.next() ** 2;
  const durationS = REQUESTS / arrivalRps;
  const perSecond = Array.from({ length: Math.ceil(durationS) }, () => Math.floor(2 * arrivalRps * rng.next()));
  return oneOf<LoadSpec>(rng, [
    { kind: 'poisson', arrivalRps, durationS },
    { kind: 'deterministic', arrivalRps: Math.ceil(arrivalRps), durationS },
    { kind: 'trace', arrivalsPerSecond: perSecond, spread: 'bunched' },
  ]);
}

function randomPlan(spec: PipelineSpec, rng: Rng): Plan {
  const stagePlan = ({ variants }: PipelineSpec['stages'][number]): StagePlan => {
    const variant = oneOf(rng, variants);
    return {
      variantId: variant.id,
      resources: { cpuCores: oneOf(rng, variant.cpuCores), memoryBytes: variant.memoryBytes, gpus: variant.gpus },
      maxBatchSize: oneOf(rng, [1, 2, 4, 8]),
      maxBatchWaitMs: oneOf(rng, [0, 0, 5, 40]),
      replicas: 1 + Math.floor(3 * rng.next()),
      trafficFraction: 1,
    };
  };
  return {
    stages: Object.fromEntries(spec.stages.map((stage) => [stage.id, [stagePlan(stage)]])),
    predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
  };
}

/** True if requests may fail: by faults, or by fan-outs of more items than a stage may queue. */
function mayFail({ faults, drops, spec }: SimulationInput): boolean {
  const most = drops ? spec.admission.maxQueueLength : Number.POSITIVE_INFINITY;
  return faults !== undefined || spec.edges.some(({ fanOut }) => Math.ceil(fanOut?.expected ?? 0) > most);
}

/** FNV-1a over the bits of numbers. */
class Digest {
  readonly #number = new Float64Array(1);
  readonly #bytes = new Uint8Array(this.#number.buffer);
  #hash = 0x811c9dc5;

  add(...values: readonly number[]): void {
    for (const value of values) {
      this.#number[0] = value;
      for (const byte of this.#bytes) this.#hash = Math.imul(this.#hash ^ byte, 0x01000193) >>> 0;
    }
  }

  get text(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }
}

interface Started {
  readonly item: Item;
  readonly startedAtMs: number;
}

class Audit {
  readonly violations: string[] = [];
  readonly #setup: SimulationInput;
  readonly #endAtMs = new Map<SimulatedReplica, number>();
  readonly #policies: readonly BatchPolicy[];
  readonly #started: Started[][];
  readonly #seen = new Set<Item>();
  readonly #tries = new Map<object, Map<number, number>>();
  retries = 0;
  #lastAtMs = 0;

  constructor(setup: SimulationInput) {
    this.#setup = setup;
    this.#policies = batchPolicies(setup.spec, setup.plan, setup.curves);
    this.#started = setup.spec.stages.map(() => []);
  }

  /** Checks that time never goes back. */
  at(nowMs: number): void {
    this.#check(nowMs >= this.#lastAtMs, `time went back from ${this.#lastAtMs} to ${nowMs}`);
    this.#lastAtMs = nowMs;
  }

  batch(replica: SimulatedReplica, { nowMs, serviceMs }: { readonly nowMs: number; readonly serviceMs: number }): void {
    this.at(nowMs);
    const { batch, stage } = replica;
    const plan = this.#planOf(stage);
    this.#check(batch.length >= 1 && batch.length <= plan.maxBatchSize, `a batch of ${batch.length} at stage ${stage}`);
    this.#check(
      (this.#endAtMs.get(replica) ?? 0) <= nowMs,
      `${replica.replicaId} began a batch before the end of another`,
    );
    this.#check(!replica.runsSuspect || batch.length === 1, `a suspect ran in a batch of ${batch.length}`);
    for (const item of batch) this.#startItem(item, replica, nowMs);
    this.#checkOrder(batch);
    this.#checkLate(batch, stage, nowMs);
    this.#checkWait(replica, nowMs);
    this.#endAtMs.set(replica, nowMs + serviceMs);
    this.#checkCores(replica, nowMs);
  }

  /**
   * Of two items of one priority that waited together, the one with the earlier deadline must start first; if deadlines
   * are equal, the earlier item.
   */
  checkQueues(): void {
    for (const started of this.#started)
      for (const [i, { item, startedAtMs }] of started.entries())
        for (let j = i - 1; j >= 0; j--) {
          const before = started[j] as Started;
          if (before.startedAtMs <= item.enqueuedAtMs) break;
          if (before.startedAtMs < startedAtMs && goesBefore(item, before.item))
            this.violations.push(`item ${item.sequence} was overtaken by ${before.item.sequence}`);
        }
  }

  #startItem(item: Item, { stage, runsSuspect }: SimulatedReplica, nowMs: number): void {
    this.#check(!this.#seen.has(item), `item ${item.sequence} was run twice`);
    this.#seen.add(item);
    this.#checkTries(item, runsSuspect);
    this.#check(item.stage === stage, `item ${item.sequence} of stage ${item.stage} ran at stage ${stage}`);
    this.#check(!item.request.ended, `an item of a request that had ended was run`);
    this.#check(item.enqueuedAtMs <= nowMs, `item ${item.sequence} ran before it was there`);
    if (this.#setup.drops) this.#check(nowMs < item.deadlineAtMs, `item ${item.sequence} started after its deadline`);
    // Suspected items wait in their own queue.
    if (!runsSuspect) this.#started[stage]?.push({ item, startedAtMs: nowMs });
  }

  /** An item starts once at a stage; twice only if retried; a third time only alone. */
  #checkTries(item: Item, isAlone: boolean): void {
    const part = item.scope ?? item.request;
    const tries = this.#tries.get(part) ?? new Map<number, number>();
    this.#tries.set(part, tries);
    const before = tries.get(item.stage) ?? 0;
    tries.set(item.stage, before + 1);
    const isAllowed = item.isRetry ? before === 1 || (before === 2 && isAlone) : before === 0;
    this.#check(isAllowed, `item ${item.sequence} was begun after ${before} tries`);
    if (item.isRetry) this.retries += 1;
  }

  #checkOrder(batch: readonly Item[]): void {
    for (let i = 1; i < batch.length; i++)
      this.#check(!goesBefore(batch[i] as Item, batch[i - 1] as Item), 'a batch is out of order');
  }

  /** With drops, no item of a batch may be late already: now + expected time of this batch + remaining time. */
  #checkLate(batch: readonly Item[], stage: number, nowMs: number): void {
    if (!this.#setup.drops) return;
    const { expectedServiceMs = [], remainingMs } = this.#policies[stage] as BatchPolicy;
    const endAtMs = nowMs + ((expectedServiceMs[batch.length] ?? 0) + remainingMs);
    for (const { sequence, deadlineAtMs } of batch)
      this.#check(endAtMs <= deadlineAtMs, `item ${sequence} was run although it was late`);
  }

  /** No item may wait longer than `maxBatchWaitMs` while a replica with exclusive cores is idle. */
  #checkWait({ stage, batch }: SimulatedReplica, nowMs: number): void {
    const { maxBatchWaitMs, resources } = this.#planOf(stage);
    // With faults, it is unknown here which replicas exist.
    if (this.#setup.faults !== undefined) return;
    if (resources.cpuCores < 1 || this.#setup.hostCores !== Number.POSITIVE_INFINITY) return;
    const oldestAtMs = Math.min(...batch.map(({ enqueuedAtMs }) => enqueuedAtMs));
    const latestAtMs = Math.max(oldestAtMs + maxBatchWaitMs, this.#idleSinceMs(stage));
    this.#check(
      nowMs <= latestAtMs + ROUNDING_MS,
      `stage ${stage} held an item back ${nowMs - latestAtMs} ms too long`,
    );
  }

  /** Time since which a replica of the stage is free. */
  #idleSinceMs(stage: number): number {
    const ends = [...this.#endAtMs].filter(([replica]) => replica.stage === stage).map(([, endAtMs]) => endAtMs);
    return ends.length < this.#planOf(stage).replicas ? 0 : Math.min(...ends);
  }

  #checkCores({ threads }: SimulatedReplica, nowMs: number): void {
    let running = 0;
    for (const [replica, endAtMs] of this.#endAtMs) if (endAtMs > nowMs) running += replica.threads;
    this.#check(running <= Math.max(threads, this.#setup.hostCores), `${running} threads ran at once`);
  }

  #planOf(stage: number): StagePlan {
    const id = this.#setup.spec.stages[stage]?.id;
    return (id === undefined ? undefined : this.#setup.plan.stages[id]?.[0]) as StagePlan;
  }

  #check(holds: boolean, sentence: string): void {
    if (!holds) this.violations.push(sentence);
  }
}

function goesBefore(a: Item, b: Item): boolean {
  if (a.request.level !== b.request.level) return false;
  return a.deadlineAtMs < b.deadlineAtMs || (a.deadlineAtMs === b.deadlineAtMs && a.sequence < b.sequence);
}

/** Runs and checks the random setup of a seed. */
export function auditedRun(seed: number): AuditedRun {
  const setup = randomSetup(seed);
  const audit = new Audit(setup);
  const digest = new Digest();
  let ended = 0;
  const { tally } = simulatePlan({
    ...setup,
    onBatch: (replica, times) => {
      audit.batch(replica, times);
      digest.add(times.nowMs, times.serviceMs, replica.stage, ...replica.batch.map(({ sequence }) => sequence));
    },
    onEnd: ({ arrivedAtMs, endedAtMs, latencyMs }) => {
      ended += 1;
      audit.at(endedAtMs);
      digest.add(arrivedAtMs, endedAtMs, latencyMs ?? -1);
    },
  });
  audit.checkQueues();
  const dropped = [...tally.dropped.values()].reduce((sum, count) => sum + count, 0);
  const { violations } = audit;
  const { arrived, completed, failed } = tally;
  if (completed + dropped + failed !== arrived || ended !== arrived)
    violations.push(`${arrived} arrived, ${completed} completed, ${dropped} dropped, ${failed} failed, ${ended} ended`);
  if (failed > 0 && !mayFail(setup)) violations.push(`${failed} failed where nothing can`);
  if (!setup.drops && dropped > 0) violations.push(`${dropped} dropped where nothing may be`);
  const batches = tally.stages.reduce((sum, stage) => sum + stage.batches, 0);
  return { violations, digest: digest.text, arrived, completed, batches, failed, retries: audit.retries };
}
