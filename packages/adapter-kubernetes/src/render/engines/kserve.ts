/**
 * KServe: an InferenceService in mode `Standard` per variant. Minimum and maximum replicas are equal, so only the plan
 * scales. The router reaches pods directly.
 */
import type { KubeObject } from '../../api/kube-object.js';
import type { Labels } from '../../cluster/object-names.js';
import type { PodSpec } from '../manifest-types.js';
import { stagePolicy } from '../network-policies.js';
import { podTemplate } from '../pod-template.js';
import { serviceAccountName } from '../router.js';
import { configOf, disruptionBudgetOf } from '../workload-objects.js';
import { addressOfPods, type Engine, serviceOfPods } from './engine.js';

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

export const kserveObjects: Engine = (workload, { spec }) => {
  const { name, labels, selector, runTimeoutMs, pipelineFile, placement, plan } = workload;
  const configured = pipelineFile === undefined ? undefined : configOf(workload, pipelineFile);
  const pod = podTemplate({
    labels,
    selector,
    drainMs: runTimeoutMs,
    serviceAccount: serviceAccountName(spec.name),
    container: { ...workload.container, name: CONTAINER },
    config: configured?.config,
    placement,
  });
  const { annotations } = pod.metadata;
  const service: InferenceService = {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name, labels, annotations: { 'serving.kserve.io/deploymentMode': 'Standard' } },
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
  return {
    objects: [
      ...(configured ? [configured.object] : []),
      serviceOfPods(workload),
      service,
      disruptionBudgetOf(workload),
      stagePolicy(spec.name, workload),
    ],
    address: addressOfPods(workload),
    reachesPods: true,
  };
};
