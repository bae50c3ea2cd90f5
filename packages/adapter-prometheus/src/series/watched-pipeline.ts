/** The part of a deployed pipeline that decides which series are its own. */

/** Programs that write series. */
export const seriesSources = [
  'equipoise',
  'seldon-v1',
  'seldon-v2',
  'kserve',
  'mlserver',
  'istio',
  'cadvisor',
] as const;

export type SeriesSource = (typeof seriesSources)[number];

/** A variant that runs on the cluster. */
export interface WatchedWorkload {
  readonly stage: string;
  readonly variant: string;
  /** Object that owns the pods: a Deployment, Server, SeldonDeployment or InferenceService. Pod names start with it. */
  readonly name: string;
  /** Name of the model in the series of an engine; default: `name`. */
  readonly model?: string;
}

export interface WatchedPipeline {
  readonly name: string;
  readonly namespace: string;
  /** Deployment of the router, whose pods write our own series. */
  readonly router: string;
  /** Object of the engine that walks the graph, such as a Seldon pipeline; default: `name`. */
  readonly gateway?: string;
  readonly workloads: readonly WatchedWorkload[];
  /** Sources that are expected to write series. Of two with the same figure, the first counts. */
  readonly sources: readonly SeriesSource[];
}

/**
 * Workload of a pod or of a name in the series of a mesh: the longest workload name that starts it. Engines append their
 * own parts to the name, such as `-predictor`.
 */
export function workloadOf(
  name: string,
  { workloads }: Pick<WatchedPipeline, 'workloads'>,
): WatchedWorkload | undefined {
  let found: WatchedWorkload | undefined;
  for (const workload of workloads) {
    const isOwner = name === workload.name || name.startsWith(`${workload.name}-`);
    if (isOwner && workload.name.length > (found?.name.length ?? -1)) found = workload;
  }
  return found;
}

export const modelOf = ({ model, name }: WatchedWorkload): string => model ?? name;

/** A label matcher; `=~` matches whole values. */
export function matcher(label: string, operator: '=' | '=~' | '!~', value: string): string {
  return `${label}${operator}"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** Regular expression of RE2 that matches exactly these texts. */
export const anyOf = (texts: readonly string[]): string =>
  texts.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
