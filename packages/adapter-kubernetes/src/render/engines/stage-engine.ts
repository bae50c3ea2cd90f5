/** An engine renders a workload and returns its address for the router. */
import type { InferenceServerSpec } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import type { RenderRequest } from '../render-request.js';
import { portName, type StageWorkload } from '../stage-workload.js';
import { serviceOf } from '../workload-objects.js';

export interface EngineObjects {
  readonly objects: readonly KubeObject[];
  readonly address: InferenceServerSpec;
  readonly reachesPods: boolean;
}

/** Renders a workload; AppError CONFLICT with advice if the engine cannot run it. */
export type StageEngine = (workload: StageWorkload, request: RenderRequest) => EngineObjects;

export function addressOfPods({ name, port, reach }: StageWorkload): InferenceServerSpec {
  const { scheme, path, model, batching } = reach;
  return { urls: [`${scheme}://${name}:${port}${path}`], model, batching };
}

export const serviceOfPods = (workload: StageWorkload) =>
  serviceOf(workload, { number: workload.port, name: portName(workload.reach.scheme) }, true);
