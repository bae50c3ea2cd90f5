/** Panels about a cluster: the operator, resources of stages, engines and the mesh. */
export interface Panel {
  readonly title: string;
  readonly unit: 'reqps' | 's' | 'ms' | 'percentunit' | 'short' | 'bytes';
  /** PromQL by the legend of its lines; `$pipeline` is chosen above the dashboard. */
  readonly lines: Readonly<Record<string, string>>;
  /** True to show the traces of single requests. */
  readonly hasExemplars?: boolean;
}

const inNamespace = 'namespace=~"$namespace"';
const rate = (metric: string, labels = '') => `rate(${metric}{${inNamespace}${labels}}[$__rate_interval])`;
const variant = '{{pipeline}} {{stage}} {{variant}}';
const recorded = (record: string) => `equipoise:${record}{${inNamespace}}`;

export const operatorPanels: readonly Panel[] = [
  {
    title: 'Operators that act (1 expected, with shards several)',
    unit: 'short',
    lines: { '{{pod}}': `equipoise_operator_leads{${inNamespace}}` },
  },
  {
    title: 'Pipelines, and those with an open canary',
    unit: 'short',
    lines: {
      pipelines: `sum(equipoise_operator_pipelines{${inNamespace}})`,
      'open canaries': `sum(equipoise_operator_shifting_pipelines{${inNamespace}})`,
    },
  },
  {
    title: 'Decisions per minute',
    unit: 'short',
    lines: { '{{kind}}': `60 * sum by (kind) (${rate('equipoise_operator_decisions_total')})` },
  },
  {
    title: 'Failures per minute, by operation',
    unit: 'short',
    lines: { '{{of}}': `60 * sum by (of) (${rate('equipoise_operator_failures_total')})` },
  },
  {
    title: 'Roll-backs in the last hour',
    unit: 'short',
    lines: { 'roll-backs': `sum(increase(equipoise_operator_rollbacks_total{${inNamespace}}[1h]))` },
  },
  {
    title: 'CPU cores of the operators',
    unit: 'short',
    lines: { '{{pod}}': rate('process_cpu_seconds_total', ',pod=~"equipoise-operator-.+"') },
  },
  {
    title: 'Memory of the operators',
    unit: 'bytes',
    lines: { '{{pod}}': `process_resident_memory_bytes{${inNamespace},pod=~"equipoise-operator-.+"}` },
  },
  {
    title: 'Event loop delay of the operators, p99',
    unit: 's',
    lines: { '{{pod}}': `nodejs_eventloop_lag_p99_seconds{${inNamespace},pod=~"equipoise-operator-.+"}` },
  },
];

export const resourcePanels: readonly Panel[] = [
  {
    title: 'CPU cores used and planned, by pipeline',
    unit: 'short',
    lines: {
      'used {{pipeline}}': `sum by (pipeline) (${recorded('variant_cpu_cores:rate1m')})`,
      'planned {{pipeline}}': `sum by (pipeline) (equipoise_plan_cpu_cores{${inNamespace}})`,
    },
  },
  {
    title: 'CPU cores used, as a fraction of the limit',
    unit: 'percentunit',
    lines: { [variant]: `${recorded('variant_cpu_cores:rate1m')} / ${recorded('variant_cpu_limit_cores:sum')}` },
  },
  {
    title: 'Throttled periods, fraction',
    unit: 'percentunit',
    lines: { [variant]: recorded('variant_cpu_throttled:ratio_rate5m') },
  },
  {
    title: 'Memory used and its limit',
    unit: 'bytes',
    lines: {
      [`used ${variant}`]: recorded('variant_memory_bytes:sum'),
      [`limit ${variant}`]: `${recorded('variant_memory_limit_bytes:sum')} > 0`,
    },
  },
  {
    title: 'Requests by engine',
    unit: 'reqps',
    lines: {
      'Seldon Core 1 {{deployment_name}}': `sum by (deployment_name) (${rate('seldon_api_executor_server_requests_seconds_count')})`,
      'Seldon Core 2 {{pipeline}}': `sum by (pipeline) (${rate('seldon_pipeline_infer_total')})`,
      'KServe {{model_name}}': `sum by (model_name) (${rate('request_predict_seconds_count')})`,
      'MLServer {{pod}}': `sum by (pod) (${rate('model_infer_request_success_total')})`,
    },
  },
  {
    title: 'Latency by engine, p99',
    unit: 's',
    lines: {
      'Seldon Core 1 {{deployment_name}}': `histogram_quantile(0.99, sum by (le, deployment_name) (${rate('seldon_api_executor_server_requests_seconds_bucket')}))`,
      'Seldon Core 2 {{pipeline}}': `histogram_quantile(0.99, sum by (le, pipeline) (${rate('seldon_pipeline_infer_api_seconds_bucket')}))`,
      'KServe {{model_name}}': `histogram_quantile(0.99, sum by (le, model_name) (${rate('request_predict_seconds_bucket')}))`,
      'MLServer {{pod}}': `histogram_quantile(0.99, sum by (le, pod) (${rate('rest_server_request_duration_seconds_bucket')}))`,
    },
  },
  {
    title: 'Mean time of a request in an MLServer',
    unit: 's',
    lines: {
      '{{pod}} {{model}}': `${rate('model_infer_request_duration_sum')} / ${rate('model_infer_request_duration_count')}`,
    },
  },
  {
    title: 'Time in the network, mean, by edge of the mesh',
    unit: 'ms',
    lines: {
      '{{source_workload}} → {{destination_workload}}':
        'equipoise:edge_network_milliseconds:mean5m{source_workload_namespace=~"$namespace"}',
    },
  },
];
