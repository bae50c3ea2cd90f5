/**
 * Seldon Core 1: a SeldonDeployment per variant, without its orchestrator (`no-engine`), since our router walks the
 * graph.
 */
import type { KubeObject } from '../../api/kube-object.js';
import type { Labels } from '../../cluster/object-names.js';
import type { Container, PodTemplate } from '../manifest-types.js';
import { stagePolicy } from '../network-policies.js';
import { LEAVE_S, podTemplate } from '../pod-template.js';
import { serviceAccountName } from '../router.js';
import { configOf, disruptionBudgetOf } from '../workload-objects.js';
import { addressOfPods, type StageEngine, serviceOfPods } from './stage-engine.js';

/** The used part of `machinelearning.seldon.io/v1`. */
interface SeldonDeployment extends KubeObject {
  readonly kind: 'SeldonDeployment';
  readonly spec: {
    readonly protocol: 'v2';
    readonly annotations: Labels;
    readonly predictors: readonly {
      readonly name: string;
      readonly replicas: number;
      readonly annotations: Labels;
      readonly labels: Labels;
      readonly componentSpecs: readonly PodTemplate[];
      readonly graph: {
        readonly name: string;
        readonly type: 'MODEL';
        readonly endpoint:
          | { readonly type: 'REST'; readonly httpPort: number }
          | { readonly type: 'GRPC'; readonly grpcPort: number };
        readonly children: readonly [];
      };
    }[];
  };
}

/** The definition of Seldon Core 1 has no `preStop.sleep`, so the pause is a command of the image. */
export const withPauseCommand = (container: Container): Container => ({
  ...container,
  lifecycle: { preStop: { exec: { command: ['sleep', String(LEAVE_S)] } } },
});

const NO_ENGINE = { 'seldon.io/no-engine': 'true' };

export const seldonV1Objects: StageEngine = (workload, { spec }) => {
  const { name, labels, selector, container, drainMs, pipelineFile, placement, plan, port, reach } = workload;
  const configured = pipelineFile === undefined ? undefined : configOf(workload, pipelineFile);
  const pod = podTemplate({
    labels,
    selector,
    container,
    drainMs,
    serviceAccount: serviceAccountName(spec.name),
    config: configured?.config,
    placement,
  });
  const endpoint = reach.scheme.startsWith('grpc')
    ? ({ type: 'GRPC', grpcPort: port } as const)
    : ({ type: 'REST', httpPort: port } as const);
  const deployment: SeldonDeployment = {
    apiVersion: 'machinelearning.seldon.io/v1',
    kind: 'SeldonDeployment',
    metadata: { name, labels },
    spec: {
      protocol: 'v2',
      annotations: NO_ENGINE,
      predictors: [
        {
          name: 'default',
          replicas: plan.replicas,
          annotations: NO_ENGINE,
          labels,
          componentSpecs: [{ ...pod, spec: { ...pod.spec, containers: pod.spec.containers.map(withPauseCommand) } }],
          graph: { name: container.name, type: 'MODEL', endpoint, children: [] },
        },
      ],
    },
  };
  return {
    objects: [
      ...(configured ? [configured.object] : []),
      serviceOfPods(workload),
      deployment,
      disruptionBudgetOf(workload),
      stagePolicy(spec.name, workload),
    ],
    address: addressOfPods(workload),
    reachesPods: true,
  };
};
