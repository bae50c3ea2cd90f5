/**
 * The router: our server over a pipeline file whose stages are the pods. There is only one, because the plan assumes
 * one queue per stage. It starts once all stages are ready.
 */
import type { InferenceServerSpec } from '@equipoise/core/model';
import type { KubeObject } from '../api/kube-object.js';
import { labelsOf, objectName, selectorOf } from '../cluster/object-names.js';
import type { Container, ContainerResources } from './manifest-types.js';
import { placementOf } from './placement.js';
import { probes, STATE_DIR } from './pod-template.js';
import type { ChosenVariant } from './profile-points.js';
import type { RenderRequest } from './render-request.js';
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
  request: RenderRequest,
  chosen: readonly ChosenVariant[],
  { direct, addressOf }: { readonly direct: readonly StageWorkload[]; readonly addressOf: Addresses },
): readonly KubeObject[] {
  const { spec, images } = request;
  const part: Part = {
    name: objectName(spec.name),
    labels: labelsOf(spec.name, { kind: 'router' }),
    selector: selectorOf(spec.name, { kind: 'router' }),
  };
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
    preStop: untilReplaced(`http://${part.name}:${ROUTER_PORT}`, ROUTER_PORT),
    placement: placementOf(spec),
    ...(readyUrls.length > 0 && { initContainer: waitFor(readyUrls, images.pipeline) }),
  };
  return [
    object,
    serviceOf(part, { number: ROUTER_PORT, name: 'http' }, false),
    deploymentOf(part, pods, 1),
    disruptionBudgetOf(part),
  ];
}

/** Service account of the pods, without rights and token. */
export const serviceAccountName = (pipeline: string): string => objectName(pipeline);

const tokenSecretName = (pipeline: string): string => objectName(pipeline, 'tokens');

const originOf = (url: string): string => url.replace(/^(\w+:\/\/[^/]+).*$/, '$1');

function routerContainer({ spec, images, arrivalRps }: RenderRequest): Container {
  const args = ['serve', 'pipeline.yaml', '--fixed', '--arrival-rps', String(arrivalRps), '--no-admin-port'];
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
