/**
 * Names, labels and bucket bounds of series as other projects write them. Each function names its source. The labels
 * `namespace`, `pod`, `job` and `instance` come from the scrape.
 */
import type { CountedEvent, Recording, Scrapes } from './recorded-series.test-support.js';

export interface Pod {
  readonly namespace: string;
  readonly pod: string;
}

const target = ({ namespace, pod }: Pod, job: string) => ({ namespace, pod, job, instance: `${pod}:8080` });

/** Bucket bounds of Envoy in milliseconds: `envoy/source/common/stats/histogram_impl.cc`, v1.34. */
const ENVOY_BOUNDS = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

export interface Hop {
  readonly reporter: 'source' | 'destination';
  readonly from: string;
  readonly to: string;
  readonly responseCode?: string;
}

/** istio/proxy, `testdata/metric/{client,server}_request_total.yaml.tmpl` (release 1.26). */
export function istioSeries(
  recording: Recording,
  on: Pod,
  hop: Hop,
  events: readonly CountedEvent[],
  scrapes: Scrapes,
) {
  const { reporter, from, to, responseCode = '200' } = hop;
  const labels = {
    reporter,
    source_workload: from,
    source_canonical_service: from,
    source_canonical_revision: 'latest',
    source_workload_namespace: on.namespace,
    source_principal: `spiffe://cluster.local/ns/${on.namespace}/sa/shelf`,
    source_app: 'unknown',
    source_version: 'unknown',
    destination_workload: to,
    destination_workload_namespace: on.namespace,
    destination_principal: `spiffe://cluster.local/ns/${on.namespace}/sa/shelf`,
    destination_app: 'unknown',
    destination_version: 'unknown',
    destination_service: `${to}.${on.namespace}.svc.cluster.local`,
    destination_canonical_service: to,
    destination_canonical_revision: 'latest',
    destination_service_name: to,
    destination_service_namespace: on.namespace,
    request_protocol: 'http',
    response_code: responseCode,
    grpc_response_status: '',
    response_flags: '-',
    connection_security_policy: reporter === 'destination' ? 'mutual_tls' : 'unknown',
    ...target(on, 'istio-proxies'),
  };
  recording.counter('istio_requests_total', labels, events, scrapes);
  const buckets = { bounds: ENVOY_BOUNDS, unitMs: 1 };
  recording.histogram('istio_request_duration_milliseconds', labels, buckets, events, scrapes);
}

/** Bounds of both Seldon executors and agents. */
const SELDON_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** SeldonIO/seldon-core v1.17.1, `executor/api/metric/{constants,server,client}.go`. */
export function seldonV1Series(
  recording: Recording,
  on: Pod,
  { deployment, model }: { readonly deployment: string; readonly model?: string },
  events: readonly CountedEvent[],
  scrapes: Scrapes,
) {
  const labels = {
    code: '200',
    deployment_name: deployment,
    method: 'post',
    predictor_name: 'default',
    predictor_version: '',
    ...target(on, 'seldon-executors'),
  };
  const buckets = { bounds: SELDON_BOUNDS, unitMs: 1000 };
  if (model === undefined) {
    const server = { ...labels, service: 'predictions' };
    recording.histogram('seldon_api_executor_server_requests_seconds', server, buckets, events, scrapes);
  } else {
    const client = { ...labels, service: '/predict', model_name: model, model_image: 'models/any', model_version: '1' };
    recording.histogram('seldon_api_executor_client_requests_seconds', client, buckets, events, scrapes);
  }
}

/** SeldonIO/seldon-core v2.10, `scheduler/pkg/metrics/gateway.go`. */
export function seldonV2PipelineSeries(
  recording: Recording,
  on: Pod,
  { pipeline, code = '200' }: { readonly pipeline: string; readonly code?: string },
  events: readonly CountedEvent[],
  scrapes: Scrapes,
) {
  const common = { code, pipeline, server: 'pipeline-gateway', ...target(on, 'seldon-mesh') };
  const typed = { ...common, method_type: 'rest' };
  recording.counter('seldon_pipeline_infer_total', typed, events, scrapes);
  recording.counter(
    'seldon_pipeline_infer_seconds_total',
    typed,
    events,
    scrapes,
    ({ durationMs }) => durationMs / 1000,
  );
  const buckets = { bounds: SELDON_BOUNDS, unitMs: 1000 };
  recording.histogram('seldon_pipeline_infer_api_seconds', { ...common, method: 'rest' }, buckets, events, scrapes);
}

/** SeldonIO/seldon-core v2.10, `scheduler/pkg/metrics/agent.go`. */
export function seldonV2ModelSeries(
  recording: Recording,
  on: Pod,
  model: string,
  events: readonly CountedEvent[],
  scrapes: Scrapes,
) {
  const labels = {
    code: '200',
    method_type: 'rest',
    model,
    model_internal: `${model}_1`,
    server: model,
    server_replica: '0',
    ...target(on, 'seldon-mesh'),
  };
  recording.counter('seldon_model_infer_total', labels, events, scrapes);
  recording.counter('seldon_model_infer_seconds_total', labels, events, scrapes, ({ durationMs }) => durationMs / 1000);
}

/** Bounds of starlette_exporter. */
const REST_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** `recorded/mlserver-1.7.1.prom`, which a real MLServer wrote. */
export function mlserverSeries(
  recording: Recording,
  on: Pod,
  { model, failed = [] }: { readonly model: string; readonly failed?: readonly CountedEvent[] },
  events: readonly CountedEvent[],
  scrapes: Scrapes,
) {
  const labels = { model, version: 'None', ...target(on, 'equipoise-stages') };
  recording.counter('model_infer_request_success_total', labels, events, scrapes);
  recording.counter('model_infer_request_failure_total', labels, failed, scrapes);
  recording.counter('model_infer_request_duration_count', labels, events, scrapes);
  recording.counter('model_infer_request_duration_sum', labels, events, scrapes, ({ durationMs }) => durationMs / 1000);
  const call = {
    app_name: 'mlserver',
    method: 'POST',
    path: '/v2/models/{model_name}/infer',
    status_code: '200',
    ...target(on, 'equipoise-stages'),
  };
  const buckets = { bounds: REST_BOUNDS, unitMs: 1000 };
  recording.histogram('rest_server_request_duration_seconds', call, buckets, events, scrapes);
}

/** Bounds of prometheus_client for Python. */
const PYTHON_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** kserve/kserve v0.20, `python/kserve/kserve/metrics.py`. */
export function kserveSeries(
  recording: Recording,
  on: Pod,
  model: string,
  events: readonly CountedEvent[],
  scrapes: Scrapes,
) {
  const labels = { model_name: model, ...target(on, 'kserve') };
  const buckets = { bounds: PYTHON_BOUNDS, unitMs: 1000 };
  recording.histogram('request_predict_seconds', labels, buckets, events, scrapes);
}

export interface Usage {
  readonly cpuCores: (atMs: number) => number;
  readonly throttledFraction: number;
  readonly memoryBytes: number;
}

const PERIOD_MS = 100;

/** `recorded/kubelet-1.36.3-cadvisor.prom`: one series for the container, one for the pause container. */
export function cadvisorSeries(recording: Recording, on: Pod, container: string, usage: Usage, scrapes: Scrapes) {
  const group = `/kubepods/burstable/pod-${on.pod}`;
  const kubelet = { job: 'kubelet', instance: 'node-1:10250', node: 'node-1', metrics_path: '/metrics/cadvisor' };
  const common = { ...kubelet, namespace: on.namespace, pod: on.pod };
  const own = { ...common, container, id: `${group}/main`, image: 'stage:1', name: `main-${on.pod}` };
  const pause = { ...common, container: '', id: `${group}/pause-${container}`, image: 'pause:1', name: 'pause' };
  const seconds = (atMs: number): number => {
    let sum = 0;
    for (let at = 0; at < atMs; at += 1000) sum += usage.cpuCores(at);
    return sum;
  };
  recording.gauge('container_cpu_usage_seconds_total', { ...own, cpu: 'total' }, seconds, scrapes);
  recording.gauge(
    'container_cpu_usage_seconds_total',
    { ...pause, cpu: 'total' },
    (atMs) => 1.1 * seconds(atMs),
    scrapes,
  );
  recording.gauge('container_cpu_cfs_periods_total', own, (atMs) => atMs / PERIOD_MS, scrapes);
  const throttled = (atMs: number): number => (usage.throttledFraction * atMs) / PERIOD_MS;
  recording.gauge('container_cpu_cfs_throttled_periods_total', own, throttled, scrapes);
  recording.gauge('container_memory_working_set_bytes', own, () => usage.memoryBytes, scrapes);
  recording.gauge('container_memory_working_set_bytes', pause, () => 1.5 * usage.memoryBytes, scrapes);
}
