/** Thread of a user's policy, which may hang or fail without harm to the server. */
import { parentPort, workerData } from 'node:worker_threads';
import { observedPlan, ownPolicy, type PolicyObservation } from '@equipoise/core/control';
import type { PipelineSpec, Plan, ProfileSet } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { loadOwnPolicy } from '../load-own-policy.js';

export interface PolicyTask {
  readonly path: string;
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  /** Beginning of the load. */
  readonly sampleArrivalsPerSecond: readonly number[];
}

/** First answer: the plan to begin with; then one answer to each observation. `plan` is absent to keep the present one. */
export type PolicyAnswer =
  | { readonly kind: 'decided'; readonly plan?: Plan; readonly intervalMs: number }
  | { readonly kind: 'failed'; readonly message: string };

const { path, spec, profiles, sampleArrivalsPerSecond } = workerData as PolicyTask;

async function begin() {
  const policy = ownPolicy(await loadOwnPolicy(path));
  const curves = requireCurves(spec, profiles);
  const observer = policy.begin({ spec, curves, sampleArrivalsPerSecond, attainment: () => 1 });
  const answer = (stages: Plan['stages'] | undefined): PolicyAnswer => ({
    kind: 'decided',
    intervalMs: policy.intervalMs,
    ...(stages && { plan: observedPlan(spec, curves, stages) }),
  });
  parentPort?.on('message', (observation: PolicyObservation) => tell(() => answer(observer.decide(observation))));
  tell(() => answer(observer.first));
}

function tell(answer: () => PolicyAnswer): void {
  try {
    parentPort?.postMessage(answer());
  } catch (error) {
    fail(error);
  }
}

const fail = (error: unknown) =>
  parentPort?.postMessage({
    kind: 'failed',
    message: error instanceof Error ? error.message : String(error),
  } satisfies PolicyAnswer);

begin().catch(fail);
