/**
 * State of an object of an engine, from its status. Sources: Seldon Core 2 `operator/apis/mlops/v1alpha1/*_types.go`
 * (Knative conditions; the reason of a Model is its state in the scheduler), Seldon Core 1 `status.state`, KServe
 * Knative conditions.
 */
import type { KubeObject } from '../../api/kube-object.js';

/** `failed`: the engine has given up for now; it may still recover. */
export interface EngineObjectState {
  readonly kind: 'ready' | 'progressing' | 'failed';
  readonly wanted: number;
  readonly ready: number;
  readonly message?: string | undefined;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface EngineObject extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly predictor?: { readonly minReplicas?: number };
    readonly predictors?: readonly {
      readonly replicas?: number;
      readonly componentSpecs?: readonly { readonly replicas?: number }[];
    }[];
  };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly observedGeneration?: number;
    readonly state?: string;
    readonly description?: string;
    readonly replicas?: number;
    readonly availableReplicas?: number;
    /** By Deployment, also those of orchestrators. */
    readonly deploymentStatus?: Readonly<Record<string, { readonly availableReplicas?: number }>>;
  };
}

/** Kinds whose state can be read. */
const KINDS = ['InferenceService', 'InferenceGraph', 'SeldonDeployment', 'Server', 'Model', 'Pipeline', 'Experiment'];

/** End of the name of an orchestrator's Deployment (seldondeployment_engine.go). */
const ORCHESTRATOR = '-svc-orch';

/** Reasons of conditions that do not pass by waiting. */
const FAILURES = [
  'ScheduleFailed',
  'ModelFailed',
  'ModelTerminateFailed',
  'PipelineFailed',
  'ExperimentFailed',
  'ProgressDeadlineExceeded',
];

/** Undefined for other kinds of objects. */
export function engineObjectState(object: KubeObject): EngineObjectState | undefined {
  if (!KINDS.includes(object.kind)) return undefined;
  const { metadata, spec, status = {} } = object as EngineObject;
  const wanted = wantedReplicas(spec);
  const { conditions = [], observedGeneration, state } = status;
  const available = availableReplicas(object.kind, status);
  const isOld = observedGeneration !== undefined && observedGeneration < (metadata.generation ?? 0);
  const ready = conditions.find(({ type }) => type === 'Ready');
  const isReady = ready === undefined ? state === 'Available' : ready.status === 'True';
  const count = Math.min(wanted, available ?? (isReady ? wanted : 0));
  if (isReady && !isOld && count === wanted) return { kind: 'ready', wanted, ready: count };
  const failed = failureIn(status);
  const message = failed ?? (ready?.status === 'False' ? ready.message : undefined);
  return { kind: failed !== undefined && !isOld ? 'failed' : 'progressing', wanted, ready: count, message };
}

function wantedReplicas({ replicas = 1, predictor, predictors }: NonNullable<EngineObject['spec']> = {}): number {
  if (predictors === undefined) return predictor?.minReplicas ?? replicas;
  const counts = predictors.flatMap(({ componentSpecs = [], ...own }) =>
    componentSpecs.map((component) => component.replicas ?? own.replicas ?? replicas),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * The replicas of a Server are those that have joined; other kinds count their available ones. Seldon Core 1 counts them
 * by Deployment (seldondeployment_controller.go, createDeployments).
 */
function availableReplicas(
  kind: string,
  { replicas, availableReplicas: available, deploymentStatus }: NonNullable<EngineObject['status']>,
): number | undefined {
  if (kind === 'Server') return replicas;
  if (deploymentStatus === undefined) return available;
  const components = Object.entries(deploymentStatus).filter(([name]) => !name.endsWith(ORCHESTRATOR));
  return components.reduce((sum, [, each]) => sum + (each.availableReplicas ?? 0), 0);
}

function failureIn({ conditions = [], state, description }: NonNullable<EngineObject['status']>): string | undefined {
  if (state === 'Failed') return description ?? 'it has failed';
  // Versions of Seldon's operator have the state in the reason or in the message.
  const failed = conditions.find(
    ({ status, reason = '', message = '' }) =>
      status !== 'True' && FAILURES.some((failure) => reason === failure || message === failure),
  );
  return failed && [failed.reason, failed.message].filter((text) => text).join(': ');
}
