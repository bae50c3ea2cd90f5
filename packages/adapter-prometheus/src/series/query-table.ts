/**
 * One table of all queries: where each figure of a pipeline is found. Names and labels are those that the programs write:
 * - Equipoise: docs/reference/metrics.md
 * - Seldon Core 1: `executor/api/metric` (v1.17.1)
 * - Seldon Core 2: `scheduler/pkg/metrics/{agent,gateway}.go` (v2.10). It has no latency histogram for each model.
 * - KServe: `python/kserve/kserve/metrics.py` (0.20)
 * - MLServer 1.7.1: `/metrics` of port 8082. Durations of models are a summary without quantiles.
 * - Istio: standard metrics (`testdata/metric` of istio/proxy). Durations are in milliseconds.
 * - cAdvisor, as a kubelet 1.36.3 serves it at `/metrics/cadvisor`, with timestamps of its own.
 */
import {
  type FigureName,
  liveGauge,
  meanOf,
  quantileOf,
  quotientOf,
  rateOf,
  type Scope,
  type SeriesQuery,
  type Subject,
  sumBy,
} from './series-query.js';
import { anyOf, matcher, modelOf, type SeriesSource, type WatchedPipeline } from './watched-pipeline.js';

type Selector = (pipeline: WatchedPipeline) => string;

/** Series of one program about one kind of subject. */
interface Place {
  readonly source: SeriesSource;
  readonly subject: Subject;
  readonly by: readonly string[];
  readonly selector: Selector;
  /** Label that holds the name of a workload, or a longer name that begins with it. */
  readonly workloadFrom?: string;
}

type Expression = (scope: Scope) => string;

function entry(figure: FigureName, metric: string, place: Place, expression: Expression): SeriesQuery {
  const { source, subject, by, selector, workloadFrom } = place;
  return {
    id: `${source} ${subject} ${figure}`,
    source,
    subject,
    figure,
    metric,
    expression,
    scope: (pipeline, times) => ({
      selector: selector(pipeline),
      by,
      times,
      withWorkload: (vector) => (workloadFrom === undefined ? vector : named(vector, workloadFrom, pipeline)),
    }),
  };
}

/** Longer names come first, because the first alternative that matches wins. */
function named(vector: string, label: string, { workloads }: WatchedPipeline): string {
  const names = workloads.map(({ name }) => name).toSorted((a, b) => b.length - a.length);
  return `label_replace(${vector}, "workload", "$1", "${label}", ${JSON.stringify(`(${anyOf(names)})(-.+)?`)})`;
}

const rates = (figure: FigureName, metric: string, place: Place): SeriesQuery =>
  entry(figure, metric, place, (scope) => rateOf(metric, scope));

/** Rate of the failed ones among the events of a counter. Without a failure there is no such series, which reads as 0. */
function failures(metric: string, place: Place, filter: string): SeriesQuery {
  const ofFailed: Expression = (scope) => rateOf(metric, { ...scope, selector: `${scope.selector},${filter}` });
  return { ...entry('failureRps', metric, place, ofFailed), isZeroIfAbsent: true };
}

/** Quantile and mean of a histogram, in milliseconds; `unitMs`: length of its unit. */
const latencies = (histogram: string, place: Place, unitMs: number): readonly SeriesQuery[] => [
  entry('latencyMs', `${histogram}_count`, place, (scope) => `${unitMs} * ${quantileOf(histogram, scope)}`),
  means(histogram, place, unitMs),
];

const means = (metric: string, place: Place, unitMs: number): SeriesQuery =>
  entry('meanLatencyMs', `${metric}_count`, place, (scope) => `${unitMs} * ${meanOf(metric, scope)}`);

const gauge = (figure: FigureName, metric: string, place: Place): SeriesQuery =>
  entry(figure, metric, place, (scope) => sumBy(scope, liveGauge(metric, scope)));

const SECOND_MS = 1000;

const inNamespace: Selector = ({ namespace }) => matcher('namespace', '=', namespace);
const names: Selector = ({ workloads }) => `(${anyOf(workloads.map(({ name }) => name))})`;
const stagePods: Selector = (of) => `${inNamespace(of)},${matcher('pod', '=~', `${names(of)}-.+`)}`;

const ownSeries: Selector = (of) => `${inNamespace(of)},${matcher('pipeline', '=', of.name)}`;
const own = { source: 'equipoise', selector: ownSeries } as const;
const ownPipeline: Place = { ...own, subject: 'pipeline', by: ['pipeline'] };
const ownVariant: Place = { ...own, subject: 'stage', by: ['stage', 'variant'] };
const ownStage: Place = { ...own, subject: 'stage', by: ['stage'] };
const batch = 'equipoise_batch_size';

const equipoiseQueries: readonly SeriesQuery[] = [
  rates('arrivalRps', 'equipoise_arrivals_total', ownPipeline),
  failures('equipoise_requests_total', ownPipeline, 'outcome!="completed"'),
  ...latencies('equipoise_request_duration_seconds', ownPipeline, SECOND_MS),
  // Items in batches, not requests: fan-outs multiply them.
  entry('arrivalRps', `${batch}_count`, ownVariant, (scope) => rateOf(`${batch}_sum`, scope)),
  ...latencies('equipoise_batch_service_seconds', ownVariant, SECOND_MS),
  entry('meanBatchSize', `${batch}_count`, ownVariant, (scope) => meanOf(batch, scope)),
  gauge('queueLength', 'equipoise_stage_queue_length', ownStage),
];

/** One SeldonDeployment for the graph, or one for each variant. */
const seldonV1: Selector = (of) => {
  const deployments = [of.gateway ?? of.name, ...of.workloads.map(({ name }) => name)];
  return `${inNamespace(of)},${matcher('deployment_name', '=~', anyOf(deployments))}`;
};
const predictions: Selector = (of) => `${seldonV1(of)},service=~"predictions|.*/(Predict|ModelInfer)"`;
const v1Pipeline: Place = {
  source: 'seldon-v1',
  subject: 'pipeline',
  by: ['deployment_name'],
  selector: predictions,
};
const v1Node: Place = { source: 'seldon-v1', subject: 'model', by: ['model_name'], selector: seldonV1 };
const executor = 'seldon_api_executor_server_requests_seconds';
const executorCalls = 'seldon_api_executor_client_requests_seconds';

const seldonV1Queries: readonly SeriesQuery[] = [
  rates('arrivalRps', `${executor}_count`, v1Pipeline),
  failures(`${executor}_count`, v1Pipeline, 'code!~"200|OK"'),
  ...latencies(executor, v1Pipeline, SECOND_MS),
  rates('arrivalRps', `${executorCalls}_count`, v1Node),
  ...latencies(executorCalls, v1Node, SECOND_MS),
];

const v2Pipeline: Place = {
  source: 'seldon-v2',
  subject: 'pipeline',
  by: ['pipeline'],
  selector: (of) => `${inNamespace(of)},${matcher('pipeline', '=', of.gateway ?? of.name)}`,
};
const v2Model: Place = {
  source: 'seldon-v2',
  subject: 'model',
  by: ['model'],
  selector: (of) => `${inNamespace(of)},${matcher('model', '=~', anyOf(of.workloads.map(modelOf)))}`,
};
const gateway = 'seldon_pipeline_infer';
const agent = 'seldon_model_infer';

const seldonV2Queries: readonly SeriesQuery[] = [
  rates('arrivalRps', `${gateway}_total`, v2Pipeline),
  failures(`${gateway}_total`, v2Pipeline, 'code!~"200|OK"'),
  ...latencies(`${gateway}_api_seconds`, v2Pipeline, SECOND_MS),
  rates('arrivalRps', `${agent}_total`, v2Model),
  entry(
    'meanLatencyMs',
    `${agent}_total`,
    v2Model,
    (scope) => `${SECOND_MS} * ${quotientOf(`${agent}_seconds_total`, `${agent}_total`, scope)}`,
  ),
];

const ofPods = { subject: 'workload', by: ['workload'], workloadFrom: 'pod', selector: stagePods } as const;
const kservePods: Place = { ...ofPods, source: 'kserve' };
const predict = 'request_predict_seconds';

const kserveQueries: readonly SeriesQuery[] = [
  rates('arrivalRps', `${predict}_count`, kservePods),
  ...latencies(predict, kservePods, SECOND_MS),
];

const mlserverPods: Place = { ...ofPods, source: 'mlserver' };
/** REST requests of all models of a pod; only these have a histogram. */
const restCalls: Place = { ...mlserverPods, selector: (of) => `${stagePods(of)},method="POST",path=~".+/infer"` };
const rest = 'rest_server_request_duration_seconds';

const mlserverQueries: readonly SeriesQuery[] = [
  rates('arrivalRps', 'model_infer_request_success_total', mlserverPods),
  rates('failureRps', 'model_infer_request_failure_total', mlserverPods),
  means('model_infer_request_duration', mlserverPods, SECOND_MS),
  entry('latencyMs', `${rest}_count`, restCalls, (scope) => `${SECOND_MS} * ${quantileOf(rest, scope)}`),
];

/** Series of the receiving side, so that no request counts twice: of a sidecar, or of a waypoint in ambient mode. */
const received: Selector = ({ namespace }) =>
  `reporter=~"destination|waypoint",${matcher('destination_workload_namespace', '=', namespace)}`;
const meshRouter: Place = {
  source: 'istio',
  subject: 'pipeline',
  by: ['destination_workload'],
  selector: (of) => `${received(of)},${matcher('destination_workload', '=', of.router)}`,
};
const toStages: Selector = (of) => matcher('destination_workload', '=~', `${names(of)}(-.+)?`);
const ofReceivers = { source: 'istio', workloadFrom: 'destination_workload' } as const;
const meshStages: Place = {
  ...ofReceivers,
  subject: 'workload',
  by: ['workload'],
  selector: (of) => `${received(of)},${toStages(of)}`,
};
const meshEdges: Place = {
  ...ofReceivers,
  subject: 'edge',
  by: ['source_workload', 'workload'],
  selector: (of) => {
    const sides = ['source', 'destination'];
    return [...sides.map((side) => matcher(`${side}_workload_namespace`, '=', of.namespace)), toStages(of)].join(',');
  },
};
const requests = 'istio_requests_total';
const durations = 'istio_request_duration_milliseconds';

/**
 * Both ends are scraped at different times, so their windows hold different requests. A longer window makes that
 * difference small against the time in the network.
 */
const NETWORK_WINDOWS = 5;

/** Time between the proxies of both ends: the mean that the sender sees minus the mean that the receiver sees. */
function networkTime({ times, ...scope }: Scope): string {
  const longer = { ...times, windowS: NETWORK_WINDOWS * times.windowS };
  const side = (reporter: string): string =>
    `(${meanOf(durations, { ...scope, times: longer, selector: `${scope.selector},reporter="${reporter}"` })})`;
  return `${side('source')} - ${side('destination')}`;
}

const istioQueries: readonly SeriesQuery[] = [
  rates('arrivalRps', requests, meshRouter),
  ...latencies(durations, meshRouter, 1),
  rates('arrivalRps', requests, meshStages),
  failures(requests, meshStages, 'response_code!~"[123].."'),
  ...latencies(durations, meshStages, 1),
  entry('networkMs', `${durations}_count`, meshEdges, networkTime),
];

/** Containers of a pod that do not run the model: the pod itself, pause, sidecars of meshes, agents of engines. */
const OTHER_CONTAINERS = '|POD|istio-proxy|queue-proxy|agent|rclone|seldon-container-engine';
const containers: Place = {
  ...ofPods,
  source: 'cadvisor',
  selector: (of) => `${stagePods(of)},${matcher('container', '!~', OTHER_CONTAINERS)}`,
};
const periods = 'container_cpu_cfs_periods_total';
const throttled = 'container_cpu_cfs_throttled_periods_total';

const cadvisorQueries: readonly SeriesQuery[] = [
  rates('cpuCores', 'container_cpu_usage_seconds_total', containers),
  // Absent for containers without a CPU limit.
  entry('throttledFraction', periods, containers, (scope) => quotientOf(throttled, periods, scope)),
  gauge('memoryBytes', 'container_memory_working_set_bytes', containers),
];

/** All queries. Of two with the same figure and subject, the order of `WatchedPipeline.sources` decides. */
export const queryTable: readonly SeriesQuery[] = [
  ...equipoiseQueries,
  ...seldonV1Queries,
  ...seldonV2Queries,
  ...kserveQueries,
  ...mlserverQueries,
  ...istioQueries,
  ...cadvisorQueries,
];

/** Queries of a pipeline, in the order of its sources. */
export function queriesOf({ sources, workloads }: WatchedPipeline): readonly SeriesQuery[] {
  return sources.flatMap((wanted) =>
    queryTable.filter(({ source, subject }) => source === wanted && (workloads.length > 0 || subject === 'pipeline')),
  );
}
