/**
 * Every file, or marked part of a file, that is made from the code. `npm run generate` writes them, `npm run
 * check:generated` fails if one differs. A part is between `<!-- generated:NAME -->` and `<!-- end:NAME -->`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { renderPipelineCrd } from '../packages/adapter-kubernetes/src/crd/pipeline-crd.js';
import { drawPipeline } from '../packages/app/src/report/pipeline-graph.js';
import { parsePipelineFile } from '../packages/pipeline-file/src/parse-pipeline-file.js';
import { renderAdminApiPage } from './admin-api-page.js';
import { renderCliPage } from './cli-page.js';
import { drawCoreFolders, drawPackages } from './dependency-graph.js';
import { renderErrorTable } from './error-table.js';
import { CHART_FILES, renderChartValues } from './helm/chart.js';
import { readInstalledPackages } from './installed-packages.js';
import { renderLicenses } from './license-page.js';
import { renderMetricsPage } from './metrics-page.js';
import { dashboardNames, renderGrafanaDashboard } from './monitoring/grafana-dashboard.js';
import {
  renderDashboardConfigMaps,
  renderPrometheusRule,
  renderStackConfigMaps,
} from './monitoring/monitoring-objects.js';
import { renderRecordingRules } from './monitoring/recording-rules.js';
import { renderAdminDocument, renderServingDocument } from './openapi-files.js';
import { renderPipelineFilePage, renderPipelineFileSchema } from './pipeline-file-page.js';
import { drawArrivalForms, drawShippedLoads, drawTraceSpreads } from './shipped-loads/load-plots.js';
import { renderArrivalForms, renderLoadStatistics } from './shipped-loads/loads-page.js';
import { readModels, renderLoadFile } from './shipped-loads/shipped-loads.js';

/** One generated text: a whole file, or with `part` the text between two markers in it. */
export interface GeneratedText {
  readonly path: string;
  readonly part?: string;
  render(): Promise<string> | string;
}

export const GENERATED: readonly GeneratedText[] = [
  { path: 'ARCHITECTURE.md', part: 'packages', render: drawPackages },
  { path: 'ARCHITECTURE.md', part: 'core', render: drawCoreFolders },
  { path: 'docs/reference/licenses.md', render: () => renderLicenses(readInstalledPackages('.')) },
  { path: 'docs/reference/admin-api.md', render: renderAdminApiPage },
  { path: 'docs/reference/openapi-admin.json', render: renderAdminDocument },
  { path: 'docs/reference/openapi-serving.json', render: renderServingDocument },
  { path: 'docs/reference/cli.md', render: renderCliPage },
  { path: 'docs/reference/errors.md', render: renderErrorTable },
  { path: 'docs/reference/metrics.md', render: renderMetricsPage },
  ...dashboardNames.map((name) => ({
    path: `deploy/grafana/${name}.json`,
    render: () => renderGrafanaDashboard(name),
  })),
  { path: 'deploy/prometheus/equipoise-recording.yaml', render: renderRecordingRules },
  { path: 'deploy/monitoring/prometheus-rule.yaml', render: renderPrometheusRule },
  { path: 'deploy/grafana-dashboards/dashboards.yaml', render: renderDashboardConfigMaps },
  { path: 'deploy/monitoring-stack/config.yaml', render: renderStackConfigMaps },
  { path: 'deploy/kubernetes-definition/crd.yaml', render: renderPipelineCrd },
  ...CHART_FILES,
  { path: 'docs/guide/helm.md', part: 'values', render: renderChartValues },
  { path: 'docs/reference/pipeline-file.md', render: renderPipelineFilePage },
  { path: 'packages/pipeline-file/pipeline-file.schema.json', render: renderPipelineFileSchema },
  { path: 'docs/reference/loads.md', part: 'forms', render: renderArrivalForms },
  { path: 'docs/reference/loads.md', part: 'statistics', render: renderLoadStatistics },
  { path: 'docs/images/cascade.svg', render: drawCascade },
  { path: 'docs/images/arrival-forms.svg', render: drawArrivalForms },
  { path: 'docs/images/trace-spreads.svg', render: drawTraceSpreads },
  { path: 'docs/images/shipped-loads.svg', render: drawShippedLoads },
  ...filesOf('examples/python-stage', /^[\w/]+\.(mjs|py|txt|yaml)$/).map((name) => ({
    path: `packages/app/templates/mood/${name}`,
    render: () => readFileSync(`examples/python-stage/${name}`, 'utf8'),
  })),
  ...Object.entries(readModels()).map(([name, model]) => ({
    path: `packages/app/loads/${name}.csv`,
    render: () => renderLoadFile(name, model),
  })),
];

function filesOf(folder: string, pattern: RegExp): readonly string[] {
  const paths = readdirSync(folder, { recursive: true }) as string[];
  return paths.filter((path) => pattern.test(path)).sort();
}

/** The pipeline file in the guide of branches, drawn. */
function drawCascade(): string {
  const text = /```yaml\n(apiVersion.*?)```/s.exec(readFileSync('docs/guide/branches.md', 'utf8'))?.[1] ?? '';
  const parsed = parsePipelineFile(text, { fileName: 'docs/guide/branches.md', baseDir: '.' });
  if (parsed.kind === 'invalid') throw new Error(JSON.stringify(parsed.problems));
  return drawPipeline(parsed.spec, 'svg');
}

/** The whole content of the file with the generated text in its place; throws if the markers are missing. */
export function placeGenerated(current: string, { path, part }: GeneratedText, text: string): string {
  if (part === undefined) return text.endsWith('\n') ? text : `${text}\n`;
  const [open, close] = [`<!-- generated:${part} -->`, `<!-- end:${part} -->`];
  const [start, end] = [current.indexOf(open), current.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`${path}: expected the markers ${open} and ${close}, in this order.`);
  return `${current.slice(0, start + open.length)}\n${text.trim()}\n${current.slice(end)}`;
}
