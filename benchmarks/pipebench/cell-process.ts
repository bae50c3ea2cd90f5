/** Process that runs cells one at a time and answers with figures. A policy that hangs or fails harms only this process. */
import { AppError } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import { loadOwnPolicy } from '../../packages/app/src/experiment/load-own-policy.js';
import { observingPolicies } from '../../packages/core/src/control/baselines/observing-policies.js';
import { ownPolicy } from '../../packages/core/src/control/baselines/own-policy.js';
import { type CellFigures, QuestionBench } from './cell.js';
import type { BenchRun } from './cells.js';
import { benchLoads } from './loads.js';
import { benchPolicies, isObserving } from './policies.js';
import { questionOf } from './questions.js';

/** `no-plan`: the policy has no plan for the beginning of the load. */
export type RunOutcome =
  | { readonly kind: 'simulated'; readonly figures: CellFigures }
  | { readonly kind: 'no-plan'; readonly message: string };

export type RunAnswer = (RunOutcome | { readonly kind: 'failed'; readonly message: string }) & {
  readonly elapsedMs: number;
};

const benches = new Map<string, QuestionBench>();

async function benchOf({ pipeline, goal }: BenchRun): Promise<QuestionBench> {
  const key = `${pipeline} ${goal}`;
  const directory = process.env['EQUIPOISE_REFERENCE_DIR'] ?? '';
  const bench = benches.get(key) ?? new QuestionBench(await questionOf({ pipeline, goal }, directory));
  benches.set(key, bench);
  return bench;
}

async function figuresOf(run: BenchRun): Promise<CellFigures> {
  const { policy, foreign, seed } = run;
  const load = benchLoads().find(({ name }) => name === run.load);
  if (load === undefined) throw new Error(`there is no load ${run.load}`);
  const bench = await benchOf(run);
  if (foreign) return bench.observing(ownPolicy(await loadOwnPolicy(policy)), load, { seed });
  if (!isObserving(policy)) return bench.planning(policy as PolicyName, load, seed);
  const needsCluster = benchPolicies.find(({ name }) => name === policy)?.needsCluster ?? false;
  return bench.observing(observingPolicies[policy], load, { seed, needsCluster });
}

async function answerTo(run: BenchRun): Promise<RunAnswer> {
  const startedAtMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedAtMs;
  try {
    const figures = await figuresOf(run);
    return { kind: 'simulated', figures, elapsedMs: elapsedMs() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const kind = !run.foreign && error instanceof AppError && error.code === 'INFEASIBLE' ? 'no-plan' : 'failed';
    return { kind, message, elapsedMs: elapsedMs() };
  }
}

/** Name of a foreign policy, or the reason why there is none. */
export type NameAnswer = { readonly name: string } | { readonly message: string };

async function nameOf(path: string): Promise<NameAnswer> {
  try {
    return { name: (await loadOwnPolicy(path)).name };
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', async (asked: BenchRun | { readonly nameOf: string }) => {
  process.send?.('nameOf' in asked ? await nameOf(asked.nameOf) : await answerTo(asked));
});
process.send?.('ready');
