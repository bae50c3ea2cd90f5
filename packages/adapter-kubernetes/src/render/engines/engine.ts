/** What runs replicas on a cluster. Each engine makes its own objects of a workload and says where the router reaches it. */
import type { InferenceServerSpec } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import type { RenderRequest } from '../render-request.js';
import { portName, type StageWorkload } from '../stage-workload.js';
import { serviceOf } from '../workload-objects.js';

/** The objects of one workload and the address at which the router reaches it. */
export interface EngineObjects {
  readonly objects: readonly KubeObject[];
  readonly address: InferenceServerSpec;
  /** Whether the address is that of the pods themselves, not of something in front of them. */
  readonly reachesPods: boolean;
}

/** Renders a workload; AppError CONFLICT where the engine cannot run it, with what can be done. */
export type Engine = (workload: StageWorkload, request: RenderRequest) => EngineObjects;

/** The pods of a workload by the name of its Service. */
export function addressOfPods({ name, port, reach }: StageWorkload): InferenceServerSpec {
  const { scheme, path, model, batching } = reach;
  return { urls: [`${scheme}://${name}:${port}${path}`], model, batching };
}

/** The Service that stands for all pods of a workload, each with its own address. */
export const serviceOfPods = (workload: StageWorkload) =>
  serviceOf(workload, { number: workload.port, name: portName(workload.reach.scheme) }, true);
