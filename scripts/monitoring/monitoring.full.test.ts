/** Rules, dashboards and configurations for Prometheus, as Prometheus reads and evaluates them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { PrometheusApi } from '../../packages/adapter-prometheus/src/api/prometheus-api.js';
import {
  PrometheusServer,
  prometheusTool,
} from '../../packages/adapter-prometheus/src/prometheus-server.test-support.js';
import { dashboardNames } from './grafana-dashboard.js';

const ruleFiles = readdirSync('deploy/prometheus').map((name) => resolve('deploy/prometheus', name));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}

const rulesIn = (text: string): readonly Rule[] =>
  (parse(text) as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap(({ rules }) => rules);

/** Expressions of all panels, with values for the variables of Grafana. */
function panelExpressions(): readonly (readonly [string, string])[] {
  return dashboardNames.flatMap((name) => {
    const { panels } = JSON.parse(readFileSync(`deploy/grafana/${name}.json`, 'utf8')) as {
      readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
    };
    return panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => {
        const filled = expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(pipeline|namespace)/g, '.+');
        return [`${name}: ${title}`, filled] as const;
      }),
    );
  });
}

/** Configuration of the Prometheus of deploy/monitoring-stack. Debian's promtool knows no Kubernetes: its discovery is left out. */
function stackConfig(): string {
  const documents = parseAllDocuments(readFileSync('deploy/monitoring-stack/prometheus.yaml', 'utf8'));
  const maps = documents.map((each) => each.toJS() as { kind: string; data?: Record<string, string> });
  const text = maps.find(({ kind }) => kind === 'ConfigMap')?.data?.['prometheus.yml'] ?? '';
  const { scrape_configs: jobs, ...rest } = parse(text) as { scrape_configs: readonly Record<string, unknown>[] };
  const checked = jobs.map(({ kubernetes_sd_configs: discovery, authorization: _, ...job }) => {
    expect(discovery).toHaveLength(1);
    return { ...job, static_configs: [] };
  });
  return stringify({ ...rest, rule_files: ruleFiles, scrape_configs: checked });
}

describeWithTool(prometheusTool, 'files for Prometheus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-monitoring-'));
  let server: PrometheusServer;
  let api: PrometheusApi;

  beforeAll(async () => {
    server = await PrometheusServer.start({ config: stringify({ rule_files: ruleFiles }) });
    api = new PrometheusApi({ url: server.url });
  }, 120_000);

  afterAll(async () => {
    api?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const promtool = (...args: string[]) => execFileSync('promtool', args, { encoding: 'utf8' });

  it('are rules that promtool takes, and that the PrometheusRule holds, too', () => {
    expect(promtool('check', 'rules', ...ruleFiles).match(/SUCCESS/g)).toHaveLength(ruleFiles.length);
    const { spec } = parse(readFileSync('deploy/monitoring/prometheus-rule.yaml', 'utf8')) as { spec: unknown };
    expect(rulesIn(stringify(spec))).toHaveLength(
      ruleFiles.flatMap((file) => rulesIn(readFileSync(file, 'utf8'))).length,
    );
  });

  it('are configurations that promtool takes', () => {
    writeFileSync(join(folder, 'stack.yml'), stackConfig());
    const compose = readFileSync('deploy/compose/prometheus.yml', 'utf8');
    writeFileSync(join(folder, 'compose.yml'), compose.replaceAll('rules/', `${resolve('deploy/prometheus')}/`));
    for (const name of ['stack.yml', 'compose.yml']) {
      expect(promtool('check', 'config', join(folder, name))).toContain('SUCCESS');
    }
  });

  it('have panels and rules that a server evaluates', async () => {
    const rules = ruleFiles.flatMap((file) => rulesIn(readFileSync(file, 'utf8')));
    const asked = [
      ...panelExpressions(),
      ...rules.map(({ alert, record, expr }) => [alert ?? record ?? '', expr] as const),
    ];
    expect(asked.length).toBeGreaterThan(60);
    for (const [name, expression] of asked) await expect(api.query(expression), name).resolves.toBeDefined();
  });

  describe('rules give', () => {
    const series = (name: string, labels: string, values: string) => ({ series: `${name}{${labels}}`, values });
    const inShop = (pod: string) => `namespace="shop",pod="${pod}",container="stage"`;

    it('figures of each variant and alerts of the operator', () => {
      const variant = 'namespace="shop", pipeline="shelf", stage="detect"';
      const sample = (record: string, labels: string, value: number) => ({ labels: `${record}{${labels}}`, value });
      const cpu = 'container_cpu_usage_seconds_total';
      const test = {
        interval: '15s',
        input_series: [
          series(cpu, inShop('shelf--detect--small-7d9c5b6f4d-2xk8p'), '0+7.5x40'),
          series(cpu, inShop('shelf--detect--small-7d9c5b6f4d-q4w7z'), '0+7.5x40'),
          series(cpu, inShop('shelf--detect--small-2-7d9c5b6f4d-q4w7z'), '0+3x40'),
          series(cpu, inShop('shelf--detect--old-predictor-7d9c5b6f4d-q4w7z'), '0+15x40'),
          series(cpu, inShop('shelf--detect--set-0'), '0+30x40'),
          series(cpu, 'namespace="shop",pod="shelf--detect--set-0",container="istio-proxy"', '0+30x40'),
          series(cpu, inShop('shelf-7d9c5b6f4d-q4w7z'), '0+30x40'),
          series('equipoise_operator_leads', 'namespace="equipoise",pod="a"', '1x20 0x20'),
          series('equipoise_operator_leads', 'namespace="equipoise",pod="b"', '0x40'),
        ],
        promql_expr_test: [
          {
            expr: 'equipoise:variant_cpu_cores:rate1m',
            eval_time: '5m',
            exp_samples: [
              sample('equipoise:variant_cpu_cores:rate1m', `${variant}, variant="small"`, 1),
              sample('equipoise:variant_cpu_cores:rate1m', `${variant}, variant="small-2"`, 0.2),
              sample('equipoise:variant_cpu_cores:rate1m', `${variant}, variant="old"`, 1),
              sample('equipoise:variant_cpu_cores:rate1m', `${variant}, variant="set"`, 2),
            ],
          },
        ],
        alert_rule_test: [
          { eval_time: '4m', alertname: 'EquipoiseOperatorHasNoLeader', exp_alerts: [] },
          {
            eval_time: '9m',
            alertname: 'EquipoiseOperatorHasNoLeader',
            exp_alerts: [
              {
                exp_labels: { severity: 'page', namespace: 'equipoise' },
                exp_annotations: { summary: 'No operator acts: plans do not follow the load' },
              },
            ],
          },
        ],
      };
      runTest(test);
    });

    it('alerts of operators with shards, and of a canary that stays open', () => {
      const operator = (pod: string) => `namespace="equipoise",pod="${pod}",instance="${pod}"`;
      const leadsShard = (pod: string, shard: number, values: string) =>
        series('equipoise_operator_leads_shard', `${operator(pod)},shard="${shard}"`, values);
      const page = (summary: string, more: Readonly<Record<string, string>> = {}) => ({
        exp_labels: { severity: 'page', namespace: 'equipoise', ...more },
        exp_annotations: { summary },
      });
      const at = (minutes: number, alertname: string, exp_alerts: readonly object[]) => {
        return { eval_time: `${minutes}m`, alertname, exp_alerts };
      };
      const two = 'Two operators act in equipoise: both run without a lease, or with leases of different names';
      const test = {
        interval: '15s',
        input_series: [
          series('equipoise_operator_leads', operator('a'), '1x400'),
          series('equipoise_operator_leads', operator('b'), '1x400'),
          series('equipoise_operator_shards', operator('a'), '2x400'),
          series('equipoise_operator_shards', operator('b'), '2x400'),
          leadsShard('a', 0, '1x400'),
          // Shard 1 has a leader, then none, then two.
          leadsShard('b', 1, '1x40 stale _x38 1x320'),
          leadsShard('a', 1, '_x119 1x280'),
          series('equipoise_operator_shifting_pipelines', operator('a'), '1x400'),
          series('equipoise_operator_shifting_pipelines', operator('b'), '0x400'),
        ],
        alert_rule_test: [
          at(8, 'EquipoiseOperatorHasTwoLeaders', []),
          at(8, 'EquipoiseShardHasNoLeader', []),
          at(15, 'EquipoiseShardHasNoLeader', [
            page('Only 1 shards are led in equipoise: plans of the others do not follow the load'),
          ]),
          at(25, 'EquipoiseShardHasNoLeader', []),
          at(25, 'EquipoiseOperatorHasTwoLeaders', []),
          at(40, 'EquipoiseOperatorHasTwoLeaders', [page(two, { shard: '1' })]),
          at(55, 'EquipoiseCanaryStaysOpen', []),
          at(70, 'EquipoiseCanaryStaysOpen', [
            {
              exp_labels: { severity: 'ticket', namespace: 'equipoise' },
              exp_annotations: {
                summary: 'A canary has been open for an hour: too few requests for a verdict, or stale signals',
              },
            },
          ]),
        ],
      };
      runTest(test);
    });

    it('an alert of the pipeline that misses its SLO, not of one of this name in another namespace', () => {
      const of = (name: string, namespace: string, values: string) =>
        series(name, `namespace="${namespace}",pipeline="shelf",pod="${namespace}"`, values);
      const summary = 'shelf misses its SLO so often that a month of budget lasts two days';
      const test = {
        interval: '15s',
        input_series: ['good', 'bad'].flatMap((namespace) => [
          // The good one hides the bad one if their requests are added up.
          of('equipoise_arrivals_total', namespace, namespace === 'good' ? '0+10000x400' : '0+100x400'),
          of('equipoise_requests_within_slo_total', namespace, namespace === 'good' ? '0+10000x400' : '0+50x400'),
          of('equipoise_slo_fraction', namespace, '0.99x400'),
        ]),
        alert_rule_test: [
          {
            eval_time: '70m',
            alertname: 'EquipoiseBudgetBurnsFast',
            exp_alerts: [
              { exp_labels: { severity: 'page', namespace: 'bad', pipeline: 'shelf' }, exp_annotations: { summary } },
            ],
          },
        ],
      };
      runTest(test);
    });

    function runTest(test: object): void {
      const file = join(folder, 'rules-test.yml');
      writeFileSync(file, stringify({ rule_files: ruleFiles, evaluation_interval: '15s', tests: [test] }));
      expect(promtool('test', 'rules', file)).toContain('SUCCESS');
    }
  });
});
