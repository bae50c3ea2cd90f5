/** `equipoise k8s doctor`: finds out why Prometheus lacks figures of a pipeline. Exits with 1 for each error found. */
import { setTimeout as sleep } from 'node:timers/promises';
import { deployedObjects, deployedPods, type KubeObject } from '@equipoise/adapter-kubernetes';
import {
  examineSeries,
  type Finding,
  type ScrapedPod,
  type SeriesSource,
  type WatchedPipeline,
} from '@equipoise/adapter-prometheus';
import { AppError } from '@equipoise/core/model';
import pc from 'picocolors';
import { type ClusterOptions, withCluster } from '../../compose/cluster.js';
import { type PrometheusFlags, prometheusApi, USUAL_SCRAPE_INTERVAL_S } from '../../compose/prometheus-api.js';
import { counted } from '../../terminal/counted.js';
import type { CommandResult } from '../../terminal/run-command.js';

export interface K8sDoctorOptions extends ClusterOptions, PrometheusFlags {
  readonly sources?: readonly SeriesSource[];
}

const PERCENTILE = 99;

export function k8sDoctor(pipeline: string, options: K8sDoctorOptions): Promise<CommandResult> {
  return withCluster(options, async ({ api, namespace }) => {
    const objects = await deployedObjects(api, pipeline, namespace);
    const pods = await deployedPods(api, pipeline, namespace);
    if (objects.length === 0 && pods.length === 0) {
      throw new AppError('NOT_FOUND', `The namespace ${namespace} has no objects of a pipeline ${pipeline}.`, {
        details: { pipeline, namespace },
      });
    }
    const watched = watchedPipeline(pipeline, { namespace, objects, pods, sources: options.sources });
    const scrapeIntervalMs = 1000 * (options.scrapeIntervalS ?? USUAL_SCRAPE_INTERVAL_S);
    const prometheus = await prometheusApi(options);
    try {
      const findings = await examineSeries(prometheus, {
        pipeline: watched,
        pods: scrapedPods(pods, watched),
        ...{ scrapeIntervalMs, percentile: PERCENTILE, nowEpochMs: Date.now, pause: () => sleep(scrapeIntervalMs) },
      });
      const { sources } = watched;
      return {
        json: { pipeline, namespace, prometheus: prometheus.url.href, sources, findings },
        text: findingsText(findings, watched),
        answerIsNo: findings.some(({ severity }) => severity === 'error'),
      };
    } finally {
      prometheus.close();
    }
  });
}

interface Deployed {
  readonly namespace: string;
  readonly objects: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly sources?: readonly SeriesSource[] | undefined;
}

const labelOf = ({ metadata }: KubeObject, name: string): string | undefined =>
  metadata.labels?.[`equipoise.dev/${name}`];

/** Objects that own the pods of a variant. */
const WORKLOADS: ReadonlySet<string> = new Set(['Deployment', 'Server', 'SeldonDeployment', 'InferenceService']);

/** Objects of engines that walk the graph. Their names may be shorter than that of the pipeline. */
const GRAPHS: ReadonlySet<string> = new Set(['Pipeline', 'SeldonDeployment', 'InferenceGraph']);

function watchedPipeline(name: string, { namespace, objects, pods, sources }: Deployed): WatchedPipeline {
  const walkers = objects.filter((each) => labelOf(each, 'part') === 'router');
  const router = walkers.find(({ kind }) => kind === 'Deployment');
  const graph = walkers.find(({ kind }) => GRAPHS.has(kind));
  const workloads = objects.flatMap((object) => {
    const [stage, variant] = [labelOf(object, 'stage'), labelOf(object, 'variant')];
    if (!WORKLOADS.has(object.kind) || stage === undefined || variant === undefined) return [];
    return [{ stage, variant, name: object.metadata.name }];
  });
  return {
    ...{ name, namespace, workloads, router: (router ?? graph)?.metadata.name ?? name },
    ...(graph && { gateway: graph.metadata.name }),
    sources: sources ?? expectedSources(objects, pods, router !== undefined),
  };
}

/** Engine by the kind of its objects, for pipelines without a router of ours. */
const ENGINES: Readonly<Record<string, SeriesSource>> = {
  Server: 'seldon-v2',
  SeldonDeployment: 'seldon-v1',
  InferenceService: 'kserve',
};

function expectedSources(
  objects: readonly KubeObject[],
  pods: readonly KubeObject[],
  isRouted: boolean,
): readonly SeriesSource[] {
  const engines = objects.flatMap(({ kind }) => ENGINES[kind] ?? []);
  return [
    ...(isRouted ? (['equipoise'] as const) : new Set(engines)),
    ...(pods.some(runsMlServer) ? (['mlserver'] as const) : []),
    ...(pods.some(isInMesh) ? (['istio'] as const) : []),
    'cadvisor',
  ];
}

interface PodSpec {
  readonly containers?: readonly {
    readonly name?: string;
    readonly command?: readonly string[];
    readonly env?: readonly { readonly name: string }[];
  }[];
  readonly initContainers?: readonly { readonly name?: string }[];
}

const specOf = (pod: KubeObject): PodSpec => (pod as { readonly spec?: PodSpec }).spec ?? {};

const runsMlServer = (pod: KubeObject): boolean =>
  (specOf(pod).containers ?? []).some(
    ({ name, command = [], env = [] }) =>
      name === 'mlserver' ||
      command[0]?.split('/').at(-1) === 'mlserver' ||
      env.some((variable) => variable.name === 'MLSERVER_HOST'),
  );

/** A sidecar is a container, or an init container that keeps running. */
function isInMesh(pod: KubeObject): boolean {
  const { containers = [], initContainers = [] } = specOf(pod);
  return [...containers, ...initContainers].some(({ name }) => name === 'istio-proxy');
}

function scrapedPods(pods: readonly KubeObject[], { namespace, sources }: WatchedPipeline): readonly ScrapedPod[] {
  const isRouter = (pod: KubeObject) => ['router', 'next'].includes(labelOf(pod, 'part') ?? '');
  const running = pods.filter((pod) => (pod as { readonly status?: { phase?: string } }).status?.phase === 'Running');
  return running.flatMap((pod): ScrapedPod[] => {
    const source = isRouter(pod) ? 'equipoise' : runsMlServer(pod) ? 'mlserver' : undefined;
    return source !== undefined && sources.includes(source) ? [{ name: pod.metadata.name, namespace, source }] : [];
  });
}

function findingsText(findings: readonly Finding[], { name, namespace, sources }: WatchedPipeline): string {
  const lines = findings.map(({ check, severity, message, fix }) => {
    const color = severity === 'error' ? pc.red : pc.yellow;
    return `${color(`${severity} ${check}`)}: ${message}\n  ${pc.dim('fix:')} ${fix}`;
  });
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const verdict = errors === 0 ? pc.green('no errors') : pc.red(counted(errors, 'error'));
  return [...lines, `${name} in ${namespace}, series of ${sources.join(', ')}: ${verdict}`].join('\n');
}
