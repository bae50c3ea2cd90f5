import { defaultRunTimeoutMs, type InferenceServerSpec, LruCache, type PipelineSpec } from '@equipoise/core/model';
import { toDocument } from '@equipoise/pipeline-file';
import { stringify } from 'yaml';
import { type Labels, labelsOf, type PipelinePart, selectorOf, workloadName } from '../cluster/object-names.js';
import type { Container } from './manifest-types.js';
import { type Placement, placementOf } from './placement.js';
import { PIPELINE_DIR, probes, STATE_DIR } from './pod-template.js';
import { type ChosenVariant, plannedProfile } from './profile-points.js';
import { containerResources, SERVER_MEMORY_BYTES } from './quantities.js';
import { imageOf, type RouterRequest } from './render-request.js';
import { stageSpec } from './stage-spec.js';

/**
 * A variant as a container that serves the Open Inference Protocol. Stages with code, or simulated from a profile, run
 * in our server. A `server` with a command runs on fixed ports; a server without one runs elsewhere.
 */

const PORTS = { port: 8080, port2: 8081, port3: 8082 } as const;

export interface StageWorkload extends ChosenVariant {
  /** Number of the router that uses it. */
  readonly router: number;
  readonly name: string;
  readonly labels: Labels;
  readonly selector: Labels;
  readonly container: Container;
  readonly port: number;
  readonly runTimeoutMs: number;
  /** Longest time from SIGTERM to the end of the pod. */
  readonly drainMs: number;
  /** `path` follows the port. */
  readonly reach: {
    readonly scheme: string;
    readonly path: string;
    readonly model: string;
    readonly batching: InferenceServerSpec['batching'];
  };
  /** Missing for containers that speak only gRPC. */
  readonly readyPath?: string;
  readonly pipelineFile?: string;
  /** True if the container fetches its artifact at its start. */
  readonly fetches: boolean;
  readonly placement: Placement | undefined;
  /** True if a terminating pod asks other pods of the workload. */
  readonly asksPeers: boolean;
}

/** The workload of a variant; undefined if its server runs elsewhere. */
export function stageWorkload(chosen: ChosenVariant, request: RouterRequest): StageWorkload | undefined {
  const { server } = chosen.variant;
  if (server === undefined) return embeddedWorkload(chosen, request);
  return server.command === undefined ? undefined : commandWorkload(chosen, server, request);
}

function commonFields(chosen: ChosenVariant, { spec, router }: RouterRequest) {
  const { stage, variant } = chosen;
  const { runTimeoutMs = defaultRunTimeoutMs } = stage;
  const part: PipelinePart = { kind: 'stage', stage: stage.id, variant: variant.id, router };
  return {
    ...chosen,
    router,
    name: workloadName(spec.name, stage.id, variant.id, router),
    labels: labelsOf(spec.name, part),
    selector: selectorOf(spec.name, part),
    runTimeoutMs,
    drainMs: runTimeoutMs,
    placement: placementOf(spec, stage, variant),
    asksPeers: false,
  };
}

function embeddedWorkload(chosen: ChosenVariant, request: RouterRequest): StageWorkload {
  const { stage, variant, plan } = chosen;
  const { port } = PORTS;
  const readyPath = `/v2/models/${stage.id}/ready`;
  const spec = stageSpec(chosen, request);
  return {
    ...commonFields(chosen, request),
    container: {
      name: 'stage',
      image: imageOf(request.images, stage.id, variant.id),
      args: ['serve', 'pipeline.yaml', '--fixed', '--no-admin-port', '--host', '0.0.0.0', '--port', String(port)],
      workingDir: STATE_DIR,
      env: [...serverEnvironment, smallYoungGeneration],
      ports: [{ name: 'http', containerPort: port }],
      resources: containerResources(plan.resources, {
        extraMemoryBytes: SERVER_MEMORY_BYTES,
        hasCpuLimits: request.hasCpuLimits,
      }),
      ...probes({ port: 'http', ready: readyPath, live: '/livez' }, loadMsOf(chosen, request)),
    },
    port,
    // Our server batches by itself: requests sent together become one batch.
    reach: { scheme: 'http', path: '', model: stage.id, batching: 'single' },
    readyPath,
    pipelineFile: texts.remember(JSON.stringify(spec), () => pipelineFileOf(spec)),
    fetches: /^(https|s3):/i.test(variant.artifact ?? ''),
  };
}

export const serverEnvironment = [
  { name: 'NO_COLOR', value: '1' },
  { name: 'HOME', value: STATE_DIR },
  { name: 'EQUIPOISE_CACHE_DIR', value: `${STATE_DIR}/cache` },
];

/** A pod of one replica has little garbage and bounded memory, so a small young generation suffices. */
const smallYoungGeneration = { name: 'NODE_OPTIONS', value: '--max-semi-space-size=16' };

/** Cache, because writing YAML dominates rendering and a new plan keeps most stages. */
const texts = new LruCache<string>(1024);

/** Keys are sorted: API servers sort those of stored objects, so file and custom resource give the same bytes. */
export const pipelineFileOf = (spec: PipelineSpec): string =>
  stringify(toDocument(spec), { lineWidth: 0, sortMapEntries: true });

function commandWorkload(chosen: ChosenVariant, server: InferenceServerSpec, request: RouterRequest): StageWorkload {
  const { stage, variant, plan } = chosen;
  const { cpuCores } = plan.resources;
  const values: Readonly<Record<string, string | number>> = {
    ...PORTS,
    cpuCores,
    threads: Math.max(1, Math.floor(cpuCores)),
  };
  const filled = (text: string) => text.replaceAll(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
  const url = new URL(filled(server.urls[0] ?? ''));
  const scheme = url.protocol.replace(':', '');
  const path = url.pathname.replace(/\/$/, '');
  const speaksHttp = scheme.startsWith('http');
  const readyPath = speaksHttp ? `${path}/v2/models/${server.model}/ready` : undefined;
  const health = { port: portName(scheme), ...(readyPath && { ready: readyPath, live: `${path}/v2/health/live` }) };
  const port = Number(url.port === '' ? PORTS.port : url.port);
  const given = Object.entries(server.environment ?? {})
    // API servers sort the keys of stored objects.
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, filled(value)] as const);
  const environment = { ...environmentFor(server.command ?? []), ...Object.fromEntries(given) };
  return {
    ...commonFields(chosen, request),
    container: {
      name: 'stage',
      image: imageOf(request.images, stage.id, variant.id),
      command: (server.command ?? []).map(filled),
      workingDir: PIPELINE_DIR,
      env: Object.entries(environment).map(([name, value]) => ({ name, value })),
      ports: [{ name: portName(scheme), containerPort: port }],
      resources: containerResources(plan.resources, { hasCpuLimits: request.hasCpuLimits }),
      ...probes(health, loadMsOf(chosen, request)),
    },
    port,
    reach: { scheme, path, model: server.model, batching: server.batching },
    ...(readyPath && { readyPath }),
    fetches: false,
  };
}

export const isMlServerCommand = ([program = '']: readonly string[] = []): boolean =>
  program.split('/').at(-1) === 'mlserver';

/** MLServer's batching is off unless a model turns it on: our router forms the batches. */
export const mlServerBatchingOff = {
  MLSERVER_MODEL_MAX_BATCH_SIZE: '1',
  MLSERVER_MODEL_MAX_BATCH_TIME: '0',
} as const;

function environmentFor(command: readonly string[]): Readonly<Record<string, string>> {
  if (!isMlServerCommand(command)) return { HOME: STATE_DIR };
  return {
    HOME: STATE_DIR,
    MLSERVER_HOST: '0.0.0.0',
    MLSERVER_METRICS_DIR: `${STATE_DIR}/metrics`,
    ...mlServerBatchingOff,
  };
}

const loadMsOf = (chosen: ChosenVariant, { profiles }: RouterRequest) => plannedProfile(chosen, profiles).loadMs;

/** Name of a port, as service meshes and Seldon expect it. */
export const portName = (scheme: string): 'grpc' | 'http' => (scheme.startsWith('grpc') ? 'grpc' : 'http');
