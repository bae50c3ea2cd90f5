/** A plan as objects of the target engine, and the router. Equal plans give equal objects. */
import { AppError, type InferenceServerSpec, invariant, specOfPlan } from '@equipoise/core/model';
import type { KubeObject } from '../api/kube-object.js';
import { labelsOf } from '../cluster/object-names.js';
import { deploymentObjects } from './engines/deployment.js';
import { graphObjects } from './engines/graph-plan.js';
import { kserveObjects } from './engines/kserve.js';
import { seldonV1Objects } from './engines/seldon-v1.js';
import { seldonV2Objects } from './engines/seldon-v2.js';
import type { StageEngine } from './engines/stage-engine.js';
import { graphEngineOf, type RenderTarget } from './engines/targets.js';
import type { ServiceAccount } from './manifest-types.js';
import { routerPolicy } from './network-policies.js';
import type { ChosenVariant } from './profile-points.js';
import { checkImages, type RenderRequest, type RouterRequest } from './render-request.js';
import { withReplacement } from './replacement.js';
import { routerObjects, serviceAccountName } from './router.js';
import { chosenVariants } from './router-spec.js';
import { stageWorkload } from './stage-workload.js';

const engines: Readonly<Partial<Record<RenderTarget, StageEngine>>> = {
  deployment: deploymentObjects,
  'seldon-v2': seldonV2Objects,
  'seldon-v1': seldonV1Objects,
  kserve: kserveObjects,
};

/** AppError NOT_FOUND for images of unknown stages, INVALID_PIPELINE if the target cannot run the plan. */
export function renderPlan(asked: RenderRequest): readonly KubeObject[] {
  checkImages(asked.images, asked.spec);
  const { routers = 1 } = asked;
  const request = { ...asked, spec: specOfPlan(asked.spec, asked.plan.stages) };
  const graphEngine = graphEngineOf(asked.target);
  if (graphEngine !== undefined && routers > 1) throw withoutRouter(graphEngine, routers);
  const objects =
    graphEngine === undefined
      ? [
          accountOf(request.spec.name),
          ...Array.from({ length: routers }, (_, router) => objectsOfRouter({ ...request, router })).flat(),
        ]
      : graphObjects(request, graphEngine);
  return objects.map((object) => inNamespace(object, request.namespace));
}

const withoutRouter = (engine: string, routers: number): AppError =>
  new AppError(
    'INVALID_PIPELINE',
    `${engine} walks the graph itself, so there is no router of ours: set routers of the pipeline to 1, or render for another target.`,
    { details: { engine, routers } },
  );

/** A router with its own share of the pods: their labels, names and policies exclude all other routers. */
function objectsOfRouter(request: RouterRequest): readonly KubeObject[] {
  const { target } = request;
  const engine = engines[target];
  invariant(engine !== undefined, `no engine renders ${target}`);
  const chosen = chosenVariants(request);
  const workloads = chosen
    .map((each) => stageWorkload(each, request))
    .filter((workload) => workload !== undefined)
    .map(withReplacement);
  const rendered = new Map(workloads.map((workload) => [workload.stage.id, engine(workload, request)]));
  const addressOf = ({ stage, variant }: ChosenVariant): InferenceServerSpec =>
    rendered.get(stage.id)?.address ?? (variant.server as InferenceServerSpec);
  const direct = workloads.filter(({ stage }) => rendered.get(stage.id)?.reachesPods);
  return [
    ...[...rendered.values()].flatMap((each) => each.objects),
    ...routerObjects(request, chosen, { direct, addressOf }),
    routerPolicy(request, direct, direct.length < chosen.length),
  ];
}

function accountOf(pipeline: string): ServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: serviceAccountName(pipeline), labels: labelsOf(pipeline) },
    automountServiceAccountToken: false,
  };
}

function inNamespace<T extends KubeObject>(object: T, namespace: string | undefined): T {
  if (namespace === undefined) return object;
  const { name, ...rest } = object.metadata;
  return { ...object, metadata: { name, namespace, ...rest } };
}
