/** An engine runs replicas on a cluster: it renders a workload and tells its address to the router. */
import type { InferenceServerSpec } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import type { RenderRequest } from '../render-request.js';
import { portName, type StageWorkload } from '../stage-workload.js';
import { serviceOf } from '../workload-objects.js';

export interface EngineObjects {
  readonly objects: readonly KubeObject[];
  readonly address: InferenceServerSpec;
  /** True if the address is that of the pods themselves. */
  readonly reachesPods: boolean;
}

/** AppError CONFLICT with advice if the engine cannot run the workload. */
export type Engine = (workload: StageWorkload, request: RenderRequest) => EngineObjects;

/** The pods of a workload by the name of its Service. */
export function addressOfPods({ name, port, reach }: StageWorkload): InferenceServerSpec {
  const { scheme, path, model, batching } = reach;
  return { urls: [`${scheme}://${name}:${port}${path}`], model, batching };
}

/** The headless Service of a workload. */
export const serviceOfPods = (workload: StageWorkload) =>
  serviceOf(workload, { number: workload.port, name: portName(workload.reach.scheme) }, true);
