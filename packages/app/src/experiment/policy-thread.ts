/** Thread of a user's policy. It tells of each call, so that the thread that waits knows what hangs. */
import type { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type ObservingPolicy, observedPlan, ownPolicy, type PolicyObservation } from '@equipoise/core/control';
import type { PipelineSpec, Plan, ProfileSet } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { type FailedCell, failedCell } from '../cells/failed-cell.js';
import { verdictsFor } from '../compose/plan-verification.js';
import type { CellOutcome, CellPipeline, ExperimentCell } from './experiment-cell.js';
import { loadOwnPolicy } from './load-own-policy.js';
import { simulateCell } from './simulate-cell.js';

interface ServingTask {
  readonly kind: 'serve';
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Beginning of the load. */
  readonly sampleArrivalsPerSecond: readonly number[];
}

interface SimulationTask {
  readonly kind: 'simulate';
  readonly cell: ExperimentCell;
  readonly pipeline: CellPipeline;
}

/** `name` only reads the file. */
export type PolicyTask = { readonly path: string } & ({ readonly kind: 'name' } | SimulationTask | ServingTask);

/** `during` says which call of the policy begins. */
export type PolicyCall = { readonly kind: 'calling'; readonly during: string } | { readonly kind: 'called' };

export interface NamedPolicy {
  readonly kind: 'named';
  readonly name: string;
}

/** First answer: the plan to begin with; then one answer to each observation. `plan` is absent to keep the present one. */
export interface PolicyDecision {
  readonly kind: 'decided';
  readonly plan?: Plan;
  readonly intervalMs: number;
}

const task = workerData as PolicyTask;

/** Longest wait for the thread that takes the output. */
const OUTPUT_MS = 10_000;
/** Of this thread, whatever the policy puts in their place. */
const outputs: readonly Writable[] = [process.stdout, process.stderr];

const isPending = ({ writable, writableLength }: Writable): boolean => writable && writableLength > 0;

const tell = (message: PolicyCall): void => parentPort?.postMessage(message);

/** Answers after the output, which leaves a busy thread line by line. The thread may be ended after its answer. */
async function answer(message: NamedPolicy | PolicyDecision | CellOutcome | FailedCell): Promise<void> {
  for (let ms = 0; ms < OUTPUT_MS && outputs.some(isPending); ms++) await wait(1);
  parentPort?.postMessage(message);
}

async function begin(): Promise<void> {
  tell({ kind: 'calling', during: 'while it was loaded' });
  const loaded = await loadOwnPolicy(task.path);
  tell({ kind: 'called' });
  const policy = watched(ownPolicy(loaded));
  if (task.kind === 'name') await answer({ kind: 'named', name: loaded.name });
  else if (task.kind === 'serve') await serve(policy, task);
  else {
    const { cell, pipeline } = task;
    const verifierAt = verdictsFor(pipeline.spec, pipeline.profiles);
    await answer(simulateCell(cell, { pipeline, verifierAt, by: { own: policy } }));
  }
}

function watched(policy: ObservingPolicy): ObservingPolicy {
  const call = <Result>(during: string, work: () => Result): Result => {
    tell({ kind: 'calling', during });
    const result = work();
    tell({ kind: 'called' });
    return result;
  };
  return {
    intervalMs: policy.intervalMs,
    begin(input) {
      const observer = call('in begin or the first answer', () => policy.begin(input));
      return {
        first: observer.first,
        decide: (observation) => call(`at ${observation.atMs / 1000} s`, () => observer.decide(observation)),
      };
    },
  };
}

function serve(policy: ObservingPolicy, { spec, profiles, sampleArrivalsPerSecond }: ServingTask): Promise<void> {
  const curves = requireCurves(spec, profiles);
  const observer = policy.begin({ spec, curves, sampleArrivalsPerSecond, attainment: () => 1 });
  const answerBy = async (decide: () => Plan['stages'] | undefined): Promise<void> => {
    try {
      const stages = decide();
      const { intervalMs } = policy;
      await answer({ kind: 'decided', intervalMs, ...(stages && { plan: observedPlan(spec, curves, stages) }) });
    } catch (error) {
      await answer(failedCell(error));
    }
  };
  parentPort?.on('message', (observation: PolicyObservation) => answerBy(() => observer.decide(observation)));
  return answerBy(() => observer.first);
}

begin().catch((error: unknown) => answer(failedCell(error)));
