/** A plan as objects of the target engine, and the router. Equal plans give equal objects. */
import { type InferenceServerSpec, invariant, specOfPlan } from '@equipoise/core/model';
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
import { checkImages, type RenderRequest } from './render-request.js';
import { routerObjects, serviceAccountName } from './router.js';
import { chosenVariants } from './router-spec.js';
import { stageWorkload } from './stage-workload.js';

const engines: Readonly<Partial<Record<RenderTarget, StageEngine>>> = {
  deployment: deploymentObjects,
  'seldon-v2': seldonV2Objects,
  'seldon-v1': seldonV1Objects,
  kserve: kserveObjects,
};

/** AppError NOT_FOUND for images of unknown stages, CONFLICT if the target cannot run the plan. */
export function renderPlan(asked: RenderRequest): readonly KubeObject[] {
  checkImages(asked.images, asked.spec);
  const request = { ...asked, spec: specOfPlan(asked.spec, asked.plan.stages) };
  const { spec, target } = request;
  const graphEngine = graphEngineOf(target);
  if (graphEngine !== undefined)
    return graphObjects(request, graphEngine).map((object) => inNamespace(object, request.namespace));
  const engine = engines[target];
  invariant(engine !== undefined, `no engine renders ${target}`);
  const chosen = chosenVariants(request);
  const workloads = chosen.map((each) => stageWorkload(each, request)).filter((workload) => workload !== undefined);
  const rendered = new Map(workloads.map((workload) => [workload.stage.id, engine(workload, request)]));
  const addressOf = ({ stage, variant }: ChosenVariant): InferenceServerSpec =>
    rendered.get(stage.id)?.address ?? (variant.server as InferenceServerSpec);
  const direct = workloads.filter(({ stage }) => rendered.get(stage.id)?.reachesPods);
  const objects = [
    accountOf(spec.name),
    ...[...rendered.values()].flatMap((each) => each.objects),
    ...routerObjects(request, chosen, { direct, addressOf }),
    routerPolicy(spec.name, direct, direct.length < chosen.length),
  ];
  return objects.map((object) => inNamespace(object, request.namespace));
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
