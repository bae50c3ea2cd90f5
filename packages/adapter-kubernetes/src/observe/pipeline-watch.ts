/** Watch of a pipeline: over its routers, or over the series of the engine that walks its graph. */
import type { PipelineSpec } from '@equipoise/core/model';
import type { EngineMetrics } from '@equipoise/core/ports';
import { type InferencePipeline, isCanaryRouter, isRouter, type ObservedPod } from '../cluster/observed-objects.js';
import { graphEngineOf } from '../render/engines/targets.js';
import { EngineWatch, type EngineWatchDeps } from './engine-watch.js';
import { targetOf } from './pipeline-target.js';
import { type PaceSource, RouterWatch, type RouterWatchDeps } from './router-watch.js';
import type { SignalWatch } from './signal-watch.js';

type WatchDeps = RouterWatchDeps &
  Pick<EngineWatchDeps, 'nowEpochMs'> & { readonly engineMetrics?: EngineMetrics | undefined };

/** `pods` existed before the watch; `onRound` is called after each round. */
export function watchOf(
  base: WatchDeps,
  { pipeline, pods }: { readonly pipeline: InferencePipeline; readonly pods: readonly ObservedPod[] },
  {
    spec,
    onRound,
    pace,
  }: { readonly spec: () => PipelineSpec; readonly onRound: () => void; readonly pace: PaceSource },
): SignalWatch {
  const engine = graphEngineOf(targetOf(pipeline));
  if (engine === undefined) return new RouterWatch(base, pods.filter(isRoutingPod), onRound, pace);
  const { namespace = 'default' } = pipeline.metadata;
  const { engineMetrics = withoutMetrics } = base;
  return new EngineWatch({ ...base, engineMetrics }, { engine, namespace, spec }, onRound);
}

const withoutMetrics: EngineMetrics = {
  read: () => Promise.reject(new Error('the operator has no metrics source: start it with --prometheus URL')),
};

export const isRoutingPod = (pod: ObservedPod): boolean => isRouter(pod) || isCanaryRouter(pod);
