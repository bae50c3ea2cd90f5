/**
 * KServe: an InferenceService in mode `Standard` per variant. Minimum and maximum replicas are equal, so only the plan
 * scales. The router reaches pods directly.
 */
import type { KubeObject } from '../../api/kube-object.js';
import type { Labels } from '../../cluster/object-names.js';
import type { PodSpec } from '../manifest-types.js';
import { stagePolicy } from '../network-policies.js';
import { podTemplate } from '../pod-template.js';
import type { RenderRequest } from '../render-request.js';
import { serviceAccountName } from '../router.js';
import type { StageWorkload } from '../stage-workload.js';
import { configOf, disruptionBudgetOf } from '../workload-objects.js';
import { addressOfPods, type StageEngine, serviceOfPods } from './stage-engine.js';

/** The used part of `serving.kserve.io/v1beta1`. */
interface InferenceService extends KubeObject {
  readonly kind: 'InferenceService';
  readonly spec: {
    readonly predictor: PodSpec & {
      readonly minReplicas: number;
      readonly maxReplicas: number;
      readonly labels: Labels;
      readonly annotations?: Labels;
      readonly deploymentStrategy: {
        readonly type: 'RollingUpdate';
        readonly rollingUpdate: { readonly maxSurge: number; readonly maxUnavailable: 0 };
      };
    };
  };
}

/** KServe finds a model's container by this name. */
const CONTAINER = 'kserve-container';

/** The InferenceService of a workload, with more annotations. */
export function inferenceServiceOf(
  workload: StageWorkload,
  { spec }: Pick<RenderRequest, 'spec'>,
  more: Labels = {},
): InferenceService {
  const { name, labels, selector, drainMs, pipelineFile, placement, plan } = workload;
  const pod = podTemplate({
    labels,
    selector,
    drainMs,
    serviceAccount: serviceAccountName(spec.name),
    container: { ...workload.container, name: CONTAINER },
    config: pipelineFile === undefined ? undefined : configOf(workload, pipelineFile).config,
    placement,
  });
  const { annotations } = pod.metadata;
  return {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name, labels, annotations: { 'serving.kserve.io/deploymentMode': 'Standard', ...more } },
    spec: {
      predictor: {
        minReplicas: plan.replicas,
        maxReplicas: plan.replicas,
        labels: pod.metadata.labels,
        ...(annotations && { annotations }),
        deploymentStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        ...pod.spec,
      },
    },
  };
}

export const kserveObjects: StageEngine = (workload, request) => {
  const { pipelineFile } = workload;
  return {
    objects: [
      ...(pipelineFile === undefined ? [] : [configOf(workload, pipelineFile).object]),
      serviceOfPods(workload),
      inferenceServiceOf(workload, request),
      disruptionBudgetOf(workload),
      stagePolicy(request.spec.name, workload),
    ],
    address: addressOfPods(workload),
    reachesPods: true,
  };
};
