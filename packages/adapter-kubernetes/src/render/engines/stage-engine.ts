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

/** Renders a workload; AppError INVALID_PIPELINE with advice if the engine cannot run it. */
export type StageEngine = (workload: StageWorkload, request: RenderRequest) => EngineObjects;

/** Schemes over which a router can reach each pod. With TLS it asks for the name, which may be any pod. */
const ADDRESSABLE = ['http', 'grpc'];

/** The pods as addresses of their headless Service: the router has a replica for each that is ready. */
export function addressOfPods({ name, port, reach }: StageWorkload): InferenceServerSpec {
  const { scheme, path, model, batching } = reach;
  const replicas = ADDRESSABLE.includes(scheme) ? ({ replicas: 'addresses' } as const) : {};
  return { urls: [`${scheme}://${name}:${port}${path}`], ...replicas, model, batching };
}

export const serviceOfPods = (workload: StageWorkload) =>
  serviceOf(workload, { number: workload.port, name: portName(workload.reach.scheme) }, true);
