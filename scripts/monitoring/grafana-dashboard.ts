/** The dashboards in deploy/grafana. They are written only if all metrics in their panels exist. */
import { unknownMetrics } from '../every-metric.js';
import { operatorPanels, type Panel, resourcePanels } from './cluster-panels.js';

const of = 'pipeline=~"$pipeline"';
const rate = (metric: string, labels = '') => `rate(${metric}{${of}${labels}}[$__rate_interval])`;
const quantile = (q: number, metric: string, by = '') =>
  `histogram_quantile(${q}, sum by (le${by}) (${rate(`${metric}_bucket`)}))`;

const pipelinePanels: readonly Panel[] = [
  {
    title: 'Load, what is expected of it and what the plan can take',
    unit: 'reqps',
    lines: {
      arrivals: `sum(${rate('equipoise_arrivals_total')})`,
      'forecast, {{bound}}': `equipoise_forecast_rps{${of}}`,
      capacity: `equipoise_plan_capacity_rps{${of}}`,
    },
  },
  {
    title: 'Latency of completed requests and the SLO',
    unit: 's',
    hasExemplars: true,
    lines: {
      p50: quantile(0.5, 'equipoise_request_duration_seconds'),
      p95: quantile(0.95, 'equipoise_request_duration_seconds'),
      p99: quantile(0.99, 'equipoise_request_duration_seconds'),
      SLO: `equipoise_slo_latency_seconds{${of}}`,
    },
  },
  {
    title: 'Requests within the SLO',
    unit: 'percentunit',
    lines: {
      'within the SLO': `sum(${rate('equipoise_requests_within_slo_total')}) / sum(${rate('equipoise_arrivals_total')})`,
      wanted: `equipoise_slo_fraction{${of}}`,
    },
  },
  {
    title: 'Burn rate of the error budget (1: spent as fast as allowed)',
    unit: 'short',
    lines: { 'last five minutes': `equipoise_error_budget_burn_rate{${of}}` },
  },
  {
    title: 'Drops and failures by reason',
    unit: 'reqps',
    lines: {
      '{{outcome}} {{reason}}': `sum by (outcome, reason) (${rate('equipoise_requests_total', ',outcome!="completed"')})`,
    },
  },
  {
    title: 'Queues',
    unit: 'short',
    lines: { '{{stage}}': `equipoise_stage_queue_length{${of}}` },
  },
  {
    title: 'Wait at a stage, p99',
    unit: 's',
    lines: { '{{stage}}': quantile(0.99, 'equipoise_stage_wait_seconds', ', stage') },
  },
  {
    title: 'Replicas that are ready and that the plan wants',
    unit: 'short',
    lines: {
      '{{stage}} {{variant}}': `equipoise_replicas{${of},status="ready"}`,
      'wanted {{stage}} {{variant}}': `equipoise_desired_replicas{${of}}`,
    },
  },
  {
    title: 'Service time of batches, p95',
    unit: 's',
    lines: { '{{stage}} {{variant}}': quantile(0.95, 'equipoise_batch_service_seconds', ', stage, variant') },
  },
  {
    title: 'Items in a batch, mean',
    unit: 'short',
    lines: { '{{stage}} {{variant}}': `${rate('equipoise_batch_size_sum')} / ${rate('equipoise_batch_size_count')}` },
  },
  {
    title: 'Predicted accuracy of the plan',
    unit: 'percentunit',
    lines: { accuracy: `equipoise_plan_accuracy{${of}}` },
  },
  {
    title: 'Cores and cost per hour of the plan',
    unit: 'short',
    lines: { cores: `equipoise_plan_cpu_cores{${of}}`, 'cost per hour': `equipoise_plan_cost_per_hour{${of}}` },
  },
  {
    title: 'Decisions, replaced replicas, failures of the loop (per minute)',
    unit: 'short',
    lines: {
      'decision {{kind}}': `60 * ${rate('equipoise_decisions_total')}`,
      'replica {{stage}} {{cause}}': `60 * ${rate('equipoise_replicas_replaced_total')}`,
      'failed {{step}}': `60 * ${rate('equipoise_loop_failures_total')}`,
    },
  },
];

const WIDTH = 12;
const HEIGHT = 8;

interface Dashboard {
  readonly title: string;
  readonly panels: readonly Panel[];
  /** Query of the values to choose from, by name of the variable. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Dashboards by name of their file, which is also their `uid`. */
const dashboards = {
  equipoise: {
    title: 'Equipoise',
    panels: pipelinePanels,
    variables: { pipeline: 'label_values(equipoise_build_info, pipeline)' },
  },
  'equipoise-operator': {
    title: 'Equipoise operator',
    panels: operatorPanels,
    variables: { namespace: 'label_values(equipoise_operator_leads, namespace)' },
  },
  'equipoise-resources': {
    title: 'Equipoise resources and engines',
    panels: resourcePanels,
    variables: { namespace: 'label_values(container_memory_working_set_bytes, namespace)' },
  },
} as const satisfies Readonly<Record<string, Dashboard>>;

export type DashboardName = keyof typeof dashboards;

export const dashboardNames = Object.keys(dashboards) as readonly DashboardName[];

/** JSON of a dashboard, as Grafana imports it; throws if a panel queries an unknown metric. */
export function renderGrafanaDashboard(name: DashboardName): string {
  const { title, panels, variables }: Dashboard = dashboards[name];
  const unknown = unknownMetrics(panels.flatMap(({ lines }) => Object.values(lines)).join('\n'));
  if (unknown.length > 0) throw new Error(`The dashboard asks for metrics that there are not: ${unknown.join(', ')}.`);
  const datasource = { type: 'prometheus', uid: '$datasource' };
  const dashboard = {
    title,
    uid: name,
    tags: ['equipoise'],
    schemaVersion: 39,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    annotations: { list: [] },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
        ...Object.entries(variables).map(([variable, query]) => ({
          ...{ name: variable, type: 'query', label: variable[0]?.toUpperCase() + variable.slice(1) },
          ...{ includeAll: true, multi: true, datasource, query, refresh: 2 },
        })),
      ],
    },
    panels: panels.map(({ title: panelTitle, unit, lines, hasExemplars }, index) => ({
      id: index + 1,
      type: 'timeseries',
      title: panelTitle,
      datasource,
      gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
      fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 8 } }, overrides: [] },
      options: {
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
        tooltip: { mode: 'multi', sort: 'none' },
      },
      targets: Object.entries(lines).map(([legendFormat, expr], line) => ({
        ...{
          refId: String.fromCharCode(65 + line),
          datasource,
          expr,
          legendFormat,
          ...(hasExemplars && { exemplar: true }),
        },
      })),
    })),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
