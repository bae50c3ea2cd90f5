/**
 * Plans that a controller has made before. A plan is a function of the load (in buckets), of the target and of what runs, so in a quiet hour
 * most ticks ask a question that was answered a moment ago. What is remembered is kept by context, for as long as the same context is
 * handed in from tick to tick, and changes how long an answer takes and nothing else.
 */
import { LruCache } from '../kernel/lru-cache.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { PlanResult } from '../model/plan.js';
import type { RunningPlan, RunningStage } from '../model/running-plan.js';

/** A question to the planner; everything else is given by the context. */
export interface PlanQuestion {
  readonly load: ExpectedLoad;
  readonly spec: Pick<PipelineSpec, 'budget' | 'objective'>;
  readonly runningPlan: RunningPlan;
}

/** Answers remembered per context, a few kilobytes each. */
const REMEMBERED = 1024;

const memories = new WeakMap<object, LruCache<PlanResult>>();

/** The answer to a question within a context, made by `plan` unless it is remembered. */
export function rememberedPlan(context: object, question: PlanQuestion, plan: () => PlanResult): PlanResult {
  const memory = memories.get(context) ?? new LruCache<PlanResult>(REMEMBERED);
  memories.set(context, memory);
  return memory.remember(keyOf(question), plan);
}

function keyOf({ load, spec, runningPlan }: PlanQuestion): string {
  const running = Object.entries(runningPlan.stages).map(([id, stage]) => [id, runningKey(stage)]);
  return JSON.stringify([load, spec.budget, spec.objective, running]);
}

/** All that switching costs depend on: how many replicas of each kind may go on. */
function runningKey({ replicas }: RunningStage): readonly string[] {
  return replicas
    .filter(({ status }) => status === 'ready' || status === 'starting')
    .map(({ variantId, resources }) => `${variantId}:${resources.cpuCores}`)
    .sort();
}
