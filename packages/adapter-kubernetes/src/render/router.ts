/**
 * A router: our server over a pipeline file whose stages are the pods. It has one queue per stage and pods that no other
 * router uses. It starts once all its stages are ready. All routers are behind one Service.
 */
import type { InferenceServerSpec } from '@equipoise/core/model';
import type { KubeObject } from '../api/kube-object.js';
import { allRouters, LABEL_PREFIX, labelsOf, objectName, routerName, selectorOf } from '../cluster/object-names.js';
import type { Container, ContainerResources, Deployment } from './manifest-types.js';
import { placementOf } from './placement.js';
import { probes, STATE_DIR } from './pod-template.js';
import type { ChosenVariant } from './profile-points.js';
import type { RenderRequest, RouterRequest } from './render-request.js';
import { untilReplaced } from './router-pause.js';
import { routerSpec } from './router-spec.js';
import { pipelineFileOf, type StageWorkload, serverEnvironment } from './stage-workload.js';
import { configOf, deploymentOf, disruptionBudgetOf, type Part, serviceOf } from './workload-objects.js';

export const ROUTER_PORT = 8080;

/** The router mostly waits. `admission.maxInFlightBytes` bounds its requests. */
const ROUTER_MEMORY_BYTES = 536_870_912;
const DEFAULT_IN_FLIGHT_BYTES = 268_435_456;
const ROUTER_CPU = '500m';
const LEAST_DRAIN_MS = 30_000;

export type Addresses = (chosen: ChosenVariant) => InferenceServerSpec;

/** Objects of the router, in order of creation. The router waits for the workloads in `direct`. */
export function routerObjects(
  request: RouterRequest,
  chosen: readonly ChosenVariant[],
  { direct, addressOf }: { readonly direct: readonly StageWorkload[]; readonly addressOf: Addresses },
): readonly KubeObject[] {
  const { spec, images, router, routers = 1 } = request;
  const own = { kind: 'router', router } as const;
  const part: Part = {
    name: routerName(spec.name, router),
    labels: labelsOf(spec.name, own),
    selector: selectorOf(spec.name, own),
  };
  const isAlone = routers === 1;
  const entry = isAlone ? part : { ...part, selector: allRouters(spec.name) };
  const { object, config } = configOf(part, pipelineFileOf(routerSpec(request, chosen, addressOf)));
  const readyUrls = direct.flatMap((workload) => {
    const { readyPath } = workload;
    return readyPath === undefined ? [] : [`${originOf(addressOf(workload).urls[0] ?? '')}${readyPath}`];
  });
  const container = routerContainer(request);
  const pods = {
    serviceAccount: serviceAccountName(spec.name),
    container,
    config,
    drainMs: Math.max(LEAST_DRAIN_MS, spec.slo.latencyMs),
    preStop: untilReplaced(`http://${routerName(spec.name)}:${ROUTER_PORT}`, ROUTER_PORT),
    placement: placementOf(spec),
    ...(!isAlone && { spreadAmong: entry.selector }),
    ...(readyUrls.length > 0 && { initContainer: waitFor(readyUrls, images.pipeline) }),
  };
  const deployment = deploymentOf(part, pods, 1);
  if (router > 0) return [object, withRouterCount(deployment, routers)];
  return [
    object,
    serviceOf(entry, { number: ROUTER_PORT, name: 'http' }, false),
    isAlone ? deployment : withRouterCount(deployment, routers),
    disruptionBudgetOf(entry),
  ];
}

/** Annotation of the number of routers that a plan was made for; missing for one. */
export const ROUTERS = `${LABEL_PREFIX}/routers`;

const withRouterCount = (deployment: Deployment, routers: number): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, annotations: { [ROUTERS]: String(routers) } },
});

/** Service account of the pods, without rights and token. */
export const serviceAccountName = (pipeline: string): string => objectName(pipeline);

const tokenSecretName = (pipeline: string): string => objectName(pipeline, 'tokens');

const originOf = (url: string): string => url.replace(/^(\w+:\/\/[^/]+).*$/, '$1');

function routerContainer({ spec, images }: RenderRequest): Container {
  // Without the planned rate, which changes with each plan.
  const args = ['serve', 'pipeline.yaml', '--fixed', '--no-admin-port'];
  return {
    name: 'router',
    image: images.pipeline,
    args: [...args, '--host', '0.0.0.0', '--port', String(ROUTER_PORT)],
    workingDir: STATE_DIR,
    env: [...serverEnvironment, ...tokenVariables(spec)],
    ports: [{ name: 'http', containerPort: ROUTER_PORT }],
    resources: routerResources(spec.admission.maxInFlightBytes),
    ...probes({ port: 'http', ready: '/readyz', live: '/livez' }),
  };
}

function tokenVariables({ name, stages }: RenderRequest['spec']): NonNullable<Container['env']> {
  const tokens = stages.flatMap(({ variants }) => variants.map(({ server }) => server?.token));
  const names = tokens.flatMap((token) => (token !== undefined && 'env' in token ? [token.env] : []));
  const secret = tokenSecretName(name);
  return [...new Set(names)].map((key) => ({ name: key, valueFrom: { secretKeyRef: { name: secret, key } } }));
}

function routerResources(inFlightBytes = DEFAULT_IN_FLIGHT_BYTES): ContainerResources {
  const memory = String(ROUTER_MEMORY_BYTES + 2 * inFlightBytes);
  return { requests: { cpu: ROUTER_CPU, memory }, limits: { memory } };
}

const WAIT_SCRIPT = `const isReady = (url) => fetch(url).then((answer) => answer.ok, () => false);
for (const url of process.argv.slice(1)) {
  while (!(await isReady(url))) await new Promise((resolve) => setTimeout(resolve, 1000));
}
`;

/** Container that ends when every stage has a ready pod. */
function waitFor(urls: readonly string[], image: string): Container {
  const resources = { requests: { cpu: '50m', memory: '134217728' }, limits: { memory: '134217728' } };
  return {
    name: 'wait-for-stages',
    image,
    command: ['node', '--input-type=module', '--eval', WAIT_SCRIPT, '--', ...urls],
    resources,
  };
}
