/** Figures of a pipeline, its variants and its edges, from all sources; of two sources the first with a value counts. */
import type { PrometheusApi } from '../api/prometheus-api.js';
import type { FigureName } from '../series/series-query.js';
import { modelOf, type WatchedPipeline, type WatchedWorkload, workloadOf } from '../series/watched-pipeline.js';
import { bestFigure, describeFigure, type Figure } from './figure.js';
import {
  type FiguresRead,
  type LabelledFigure,
  type QueryFigures,
  type ReadOptions,
  readFigures,
} from './read-figures.js';

const pipelineFigures = ['arrivalRps', 'failureRps', 'latencyMs', 'meanLatencyMs'] as const;
const variantFigures = [
  ...pipelineFigures,
  'meanBatchSize',
  'queueLength',
  'cpuCores',
  'throttledFraction',
  'memoryBytes',
] as const;

type Figures<Name extends FigureName> = Readonly<Record<Name, Figure>>;

/** `queueLength` is that of the whole stage. CPU and memory are sums over the pods of the variant. */
export interface VariantMetrics extends Figures<(typeof variantFigures)[number]> {
  readonly stage: string;
  readonly variant: string;
}

export interface EdgeMetrics {
  /** Stage that sends, or the workload that is no stage, such as the router. */
  readonly from: string;
  readonly to: string;
  readonly variant: string;
  readonly networkMs: Figure;
}

export interface PipelineMetrics extends Figures<(typeof pipelineFigures)[number]> {
  /** Time of the server; undefined without an answer. */
  readonly serverEpochMs: number | undefined;
  readonly variants: readonly VariantMetrics[];
  readonly edges: readonly EdgeMetrics[];
  /** One sentence for each metric that has ended or never was, and since when. */
  readonly lacks: readonly string[];
}

/** Never rejects: without an answer, all figures are `unknown`. */
export async function readPipelineMetrics(
  api: PrometheusApi,
  pipeline: WatchedPipeline,
  options: ReadOptions,
): Promise<PipelineMetrics> {
  return pipelineMetrics(await readFigures(api, pipeline, options), pipeline);
}

function pipelineMetrics({ serverEpochMs, queries }: FiguresRead, pipeline: WatchedPipeline): PipelineMetrics {
  const ofPipeline = queries.filter(({ query }) => query.subject === 'pipeline');
  const others = queries.filter(({ query }) => query.subject !== 'pipeline');
  return {
    serverEpochMs,
    ...figuresNamed(pipelineFigures, ofPipeline, () => true),
    variants: pipeline.workloads.map((workload) => ({
      stage: workload.stage,
      variant: workload.variant,
      ...figuresNamed(variantFigures, others, (labels) => isAbout(labels, workload)),
    })),
    edges: edgesOf(queries, pipeline),
    lacks: lacksOf(queries),
  };
}

function figuresNamed<Name extends FigureName>(
  names: readonly Name[],
  queries: readonly QueryFigures[],
  isWanted: (labels: LabelledFigure['labels']) => boolean,
): Figures<Name> {
  const entries = names.map((name) => {
    const asked = queries.filter(({ query }) => query.figure === name);
    const found = asked.flatMap((each) => each.found.filter(({ labels }) => isWanted(labels)));
    const rest = asked.map(
      ({ problem, query }): Figure => problem ?? { kind: 'absent', source: query.source, metric: query.metric },
    );
    const best = bestFigure([...found.map(({ figure }) => figure), ...rest]);
    return [name, best ?? ({ kind: 'unknown', reason: 'no source of this pipeline has this figure' } satisfies Figure)];
  });
  return Object.fromEntries(entries) as Figures<Name>;
}

function isAbout(labels: LabelledFigure['labels'], workload: WatchedWorkload): boolean {
  const { stage, variant, workload: name, model = labels['model_name'] } = labels;
  if (name !== undefined) return name === workload.name;
  if (model !== undefined) return model === modelOf(workload);
  return stage === workload.stage && (variant === undefined || variant === workload.variant);
}

function edgesOf(queries: readonly QueryFigures[], pipeline: WatchedPipeline): readonly EdgeMetrics[] {
  const edges = queries.filter(({ query }) => query.subject === 'edge').flatMap(({ found }) => found);
  return edges.flatMap(({ labels, figure }) => {
    const { source_workload: from = '', workload: name = '' } = labels;
    const to = workloadOf(name, pipeline);
    if (to === undefined) return [];
    return [{ from: workloadOf(from, pipeline)?.stage ?? from, to: to.stage, variant: to.variant, networkMs: figure }];
  });
}

function lacksOf(queries: readonly QueryFigures[]): readonly string[] {
  const sentences = queries.flatMap(({ query, found, problem }) => {
    const figures = [...found.map(({ figure }) => figure), ...(problem === undefined ? [] : [problem])];
    return figures.flatMap((figure) => {
      const lack = describeFigure(figure);
      return lack === undefined ? [] : [figure.kind === 'unknown' ? lack : `${query.source}: ${lack}`];
    });
  });
  return [...new Set(sentences)];
}
