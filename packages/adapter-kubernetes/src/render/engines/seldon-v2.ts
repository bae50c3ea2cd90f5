/**
 * Seldon Core 2: a Server and a Model per MLServer variant, a Deployment for other variants. Cores, memory and batching
 * belong to Servers: the agent drops batching from model-settings.json. `minReplicas` and `maxReplicas` would start
 * Seldon's autoscaler.
 */
import { AppError, type InferenceServerSpec } from '@equipoise/core/model';
import type { KubeObject } from '../../api/kube-object.js';
import type { Container } from '../manifest-types.js';
import { type Placement, placedContainer } from '../placement.js';
import type { RenderRequest } from '../render-request.js';
import { isMlServerCommand, mlServerBatchingOff, type StageWorkload } from '../stage-workload.js';
import { deploymentObjects } from './deployment.js';
import type { StageEngine } from './stage-engine.js';

/** The used part of `mlops.seldon.io/v1alpha1`. */
interface SeldonServer extends KubeObject {
  readonly kind: 'Server';
  readonly spec: {
    readonly serverConfig: 'mlserver';
    readonly replicas: number;
    readonly extraCapabilities: readonly string[];
    readonly podSpec: {
      readonly terminationGracePeriodSeconds: number;
      readonly containers: readonly Pick<Container, 'name' | 'env' | 'resources' | 'volumeMounts'>[];
    };
  };
}

interface SeldonModel extends KubeObject {
  readonly kind: 'Model';
  readonly spec: {
    readonly storageUri: string;
    readonly requirements: readonly string[];
    readonly memory?: string;
    readonly replicas: number;
  };
}

const GROUP_VERSION = 'mlops.seldon.io/v1alpha1';
/** Service for all requests; a header names the model. */
const MESH = 'http://seldon-mesh';
const SPARE_S = 10;

export const seldonV2Objects: StageEngine = (workload, request) => {
  if (!isMlServerCommand(workload.variant.server?.command)) return deploymentObjects(workload, request);
  return {
    objects: modelObjects(workload, request, mlServerBatchingOff),
    address: meshAddress(workload.name, workload),
    reachesPods: false,
  };
};

/** A Server with the batching that its environment sets, and the Model that only it takes. */
export function modelObjects(
  workload: StageWorkload,
  request: RenderRequest,
  batching: Readonly<Record<string, string>>,
): readonly [SeldonServer, SeldonModel] {
  const { name, labels, plan, container, runTimeoutMs } = workload;
  const { replicas, resources } = plan;
  const { volumeMounts, resources: extra, ...fields } = serverPlacement(workload);
  const server: SeldonServer = {
    apiVersion: GROUP_VERSION,
    kind: 'Server',
    metadata: { name, labels },
    spec: {
      serverConfig: 'mlserver',
      replicas,
      extraCapabilities: [name],
      podSpec: {
        ...fields,
        terminationGracePeriodSeconds: Math.ceil(runTimeoutMs / 1000) + SPARE_S,
        containers: [
          placedContainer(
            {
              name: 'mlserver',
              env: Object.entries(batching).map(([key, value]) => ({ name: key, value })),
              ...(container.resources && { resources: container.resources }),
            },
            { volumeMounts, resources: extra },
          ),
        ],
      },
    },
  };
  const model: SeldonModel = {
    apiVersion: GROUP_VERSION,
    kind: 'Model',
    metadata: { name, labels },
    spec: {
      storageUri: storageUri(workload, request),
      requirements: [name],
      ...(resources.memoryBytes > 0 && { memory: String(resources.memoryBytes) }),
      replicas,
    },
  };
  return [server, model];
}

/** Fields of the pods of a Server. Seldon defines their labels, annotations and selector itself. */
function serverPlacement({ placement = {}, stage, variant }: StageWorkload): Placement {
  const { labels, annotations, ...rest } = placement;
  const { topologySpreadConstraints: spreads = [] } = rest;
  const hasLabels = labels !== undefined || annotations !== undefined;
  if (!hasLabels && spreads.every(({ labelSelector }) => labelSelector !== undefined)) return rest;
  const found = hasLabels ? 'labels or annotations' : 'a topologySpreadConstraint without labelSelector';
  throw new AppError(
    'INVALID_PIPELINE',
    `Seldon Core 2 sets the labels of its pods itself, but the placement of ${stage.id}/${variant.id} has ${found}: remove that, or render --target deployment.`,
    { details: { stageId: stage.id, variantId: variant.id } },
  );
}

function meshAddress(model: string, { reach }: StageWorkload): InferenceServerSpec {
  return { urls: [MESH], model, batching: reach.batching, headers: { 'seldon-model': model } };
}

function storageUri({ stage, variant }: StageWorkload, { artifactBase }: RenderRequest): string {
  const { artifact } = variant;
  const what = `${stage.id}/${variant.id}`;
  if (artifact === undefined) {
    throw new AppError(
      'INVALID_PIPELINE',
      `Seldon Core 2 fetches models itself, but ${what} names none: give the variant an artifact, the folder with its model-settings.json, such as s3://bucket/folder, or render --target deployment.`,
      { details: { stageId: stage.id, variantId: variant.id } },
    );
  }
  if (/^[a-z0-9]+:\/\//.test(artifact)) return artifact;
  if (artifactBase !== undefined) return `${artifactBase.replace(/\/$/, '')}/${artifact.replace(/^\.\//, '')}`;
  throw new AppError(
    'INVALID_PIPELINE',
    `Seldon Core 2 fetches models itself and cannot reach ${artifact}, the artifact of ${what}: say with --artifacts URI where the folder of the pipeline is kept, such as s3://bucket/pipeline.`,
    { details: { stageId: stage.id, variantId: variant.id, artifact } },
  );
}
