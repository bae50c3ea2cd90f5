/** The requests per second that replicas can serve for good, whatever their latency. */
import { stageLoads } from '../estimate/stage-load.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { ServiceCurves } from '../profile/curves-of.js';
import { capacityRps } from '../profile/service-curve.js';

/** Of the stage that can carry least (rps); Infinity where nothing is known of any. */
export function carriedRps(spec: PipelineSpec, { stages }: Plan, curves: ServiceCurves): number {
  const loads = stageLoads(spec, 1);
  let leastRps = Number.POSITIVE_INFINITY;
  for (const [id, stagePlans] of Object.entries(stages)) {
    const visits = loads.get(id as StageId)?.visits ?? 0;
    let itemsRps = 0;
    for (const { variantId, resources, replicas, maxBatchSize } of stagePlans) {
      const curve = curves.curve(id as StageId, variantId, resources.cpuCores);
      itemsRps += curve === undefined ? Number.POSITIVE_INFINITY : capacityRps(curve, replicas, maxBatchSize);
    }
    if (visits > 0) leastRps = Math.min(leastRps, itemsRps / visits);
  }
  return leastRps;
}
