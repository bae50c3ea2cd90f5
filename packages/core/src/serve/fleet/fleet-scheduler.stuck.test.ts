import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { StageId } from '../../model/ids.js';
import type { StagePlan } from '../../model/plan.js';
import { changeTo, FleetBench, planFor, stageA, stageB } from './fleet-bench.test-support.js';
import type { ChangeEnd } from './fleet-effects.js';

const ACTIONS = ['apply', 'preempt, apply', 'budget', 'preempt', 'wait'];
const ALL_ACTIONS = [...ACTIONS, 'apply', 'lose'];

interface Asked {
  readonly atMs: number;
  readonly to: StagePlan;
  readonly ends: readonly ChangeEnd[];
}

/**
 * Random changes, budgets and preemptions of two stages. Every second run also loses replicas and has failing starts.
 */
class RandomFleet {
  readonly bench: FleetBench;
  readonly #hasFaults: boolean;
  readonly #rng: SeededRng;
  readonly #asked = new Map<StageId, Asked[]>([
    [stageA, []],
    [stageB, []],
  ]);

  constructor(seed: number) {
    this.#hasFaults = seed % 2 === 1;
    this.#rng = new SeededRng(seed);
    const limits = {
      ...{ budgetCpuCores: 8, startConcurrency: 1 + this.#below(3) },
      ...this.#oneOf([{}, { surgeCpuCores: 0 }, { surgeCpuCores: 1 }]),
      ...this.#oneOf([{}, { maxSurgeMs: 60 }]),
    };
    const times = { startMs: () => 5 + this.#below(40), drainMs: () => this.#below(30) };
    this.bench = new FleetBench(limits, times);
    for (const stage of [stageA, stageB]) this.#apply(planFor('s', 1 + this.#below(3)), stage);
    this.bench.advanceTo(1_000);
  }

  #below(count: number): number {
    return Math.floor(this.#rng.next() * count);
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    return items[this.#below(items.length)] as Item;
  }

  #apply(to: StagePlan, stage: StageId): void {
    this.#asked.get(stage)?.push({ atMs: this.bench.nowMs, to, ends: this.bench.apply(changeTo(to, stage)) });
  }

  step(): void {
    const { bench } = this;
    const stage = this.#oneOf([stageA, stageB]);
    const action = this.#oneOf(this.#hasFaults ? ALL_ACTIONS : ACTIONS);
    if (action.startsWith('preempt')) bench.fleet.preempt(bench.nowMs);
    if (action.endsWith('apply')) {
      const variant = this.#oneOf(this.#hasFaults ? ['s', 'l', 'm', 'broken'] : ['s', 's', 'l', 'l', 'm']);
      this.#apply(planFor(variant, 1 + this.#below(4), this.#oneOf([0.5, 1, 2])), stage);
    }
    if (action === 'budget') bench.setBudget(this.#oneOf([1, 2, 3, 8]));
    if (action === 'lose') bench.lose(stage);
    bench.advanceTo(bench.nowMs + this.#below(80));
  }

  /** What is wrong with an idle stage; undefined if nothing is. */
  problem(stage: StageId, { mayBeTold }: { readonly mayBeTold: boolean }): string | undefined {
    const { replicas = [] } = this.bench.fleet.runningPlan().stages[stage] ?? {};
    const shown = replicas.map(({ variantId, status, resources }) => `${variantId}@${resources.cpuCores}:${status}`);
    const asked = this.#asked.get(stage) ?? [];
    if (asked.some(({ ends }) => ends.length !== 1)) return `stage ${stage}: a change has not ended once`;
    const last = asked.at(-1);
    const [end] = last?.ends ?? [];
    const wanted = Array(last?.to.replicas).fill(`${last?.to.variantId}@${last?.to.resources.cpuCores}:ready`);
    const isWanted =
      end?.kind === 'done'
        ? shown.join() === wanted.join()
        : new Set(shown).size === 1 && shown[0]?.endsWith(':ready') === true;
    const isTold =
      end?.kind === 'failed' ||
      this.bench.events.some(
        ([atMs, id, what]) => atMs >= (last?.atMs ?? 0) && id === stage && what === 'restart-failed',
      );
    return isWanted || (mayBeTold && isTold) ? undefined : `stage ${stage}: ${shown.join(' ')} after ${end?.kind}`;
  }
}

describe('FleetScheduler under random changes, budgets, losses, failing starts and preemptions', () => {
  it('brings each stage to its plan or tells a fault, and goes on once there is headroom (1,000 seeds)', () => {
    const stuck: string[] = [];
    for (let seed = 0; seed < 1_000; seed++) {
      const fleet = new RandomFleet(seed);
      for (let i = 0; i < 12; i++) fleet.step();
      fleet.bench.advanceTo(fleet.bench.nowMs + 600_000);
      const problemsNow = (mayBeTold: boolean) =>
        [stageA, stageB].flatMap((stage) => fleet.problem(stage, { mayBeTold }) ?? []);
      const problems = problemsNow(true);
      fleet.bench.setBudget(1_000);
      fleet.bench.advanceTo(fleet.bench.nowMs + 600_000);
      problems.push(...problemsNow(false).map((problem) => `with headroom: ${problem}`));
      if (fleet.bench.fleet.changing) problems.push('a change goes on');
      if (problems.length > 0) stuck.push(`seed ${seed}: ${problems.join('; ')}`);
    }
    expect(stuck).toEqual([]);
  });
});
