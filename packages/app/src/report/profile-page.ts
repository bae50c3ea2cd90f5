import type { MeasuredPoint, PipelineProfile, SkippedPoint, VariantProfile } from '@equipoise/runtime';
import { counted } from '../terminal/counted.js';
import { coresText, msText } from '../terminal/plan-table.js';
import { type Fact, htmlTable } from './page/html.js';
import type { PageSection, ReportPage } from './page/html-page.js';
import { neighboursPlot, residualPlot, stagePlots } from './profile-plots.js';

export function profilePage(pipelineName: string, profile: PipelineProfile): ReportPage {
  const { variants, notMeasured } = profile;
  const sections: PageSection[] = [
    { title: 'At a glance', blocks: [summaryTable(variants)] },
    ...stagesOf(variants).map(stageSection),
  ];
  const neighbours = neighboursPlot(variants);
  if (neighbours !== undefined)
    sections.push({
      title: 'Cost of busy neighbours',
      text: 'Plans use the figures with busy neighbours, as in service. Right of the line: slower than alone.',
      blocks: [{ plots: [neighbours] }],
    });
  if (variants.length > 0)
    sections.push({
      title: 'The fit and its errors',
      text: 'Times of sizes that were not measured come from the lowest curve that never falls and is never below a measured point. A dot right of the line is a size that was faster than a smaller one. The table shows the error of the fit at a point that was left out of the fit.',
      blocks: [{ plots: [residualPlot(variants)] }, fitTable(variants)],
    });
  const leftOut = [
    ...skippedRows(variants),
    ...notMeasured.map((one) => [`${one.stageId}/${one.variantId}`, 'all', one.reason]),
  ];
  if (leftOut.length > 0)
    sections.push({
      title: 'Not measured, and why',
      blocks: [htmlTable('Not measured', ['variant', 'points', 'reason'], leftOut)],
    });
  return {
    ...{ kind: 'Profile', title: `Profile of ${pipelineName}`, lead: machineText(profile), sections },
    facts: profileFacts(variants),
  };
}

function profileFacts(variants: readonly VariantProfile[]): readonly Fact[] {
  const points = variants.flatMap((variant) => variant.points);
  const uncertain = points.filter(({ meanUncertaintyFraction }) => meanUncertaintyFraction > 0.1).length;
  const batches = points.reduce((sum, point) => sum + point.batches, 0);
  return [
    { label: 'Variants', value: String(variants.length), note: counted(stagesOf(variants).length, 'stage') },
    { label: 'Points measured', value: String(points.length), note: counted(batches, 'batch', 'batches') },
    {
      ...{ label: 'Uncertain means', value: String(uncertain), note: 'above ± 10 %' },
      status: uncertain === 0 ? 'ok' : 'warn',
    },
  ];
}

function machineText({ machine, variants }: PipelineProfile): string {
  const { cpuModel, coresAvailable, memoryGib, nodeVersion, onnxruntimeVersion } = machine;
  const runtime = onnxruntimeVersion === undefined ? '' : `, onnxruntime ${onnxruntimeVersion}`;
  const days = [...new Set(variants.map(({ measuredAtEpochMs }) => dayOf(measuredAtEpochMs)))].sort();
  const when = days.length === 0 ? '' : ` · measured ${[...new Set([days[0], days.at(-1)])].join(' to ')}`;
  return `${coresAvailable} × ${cpuModel}, ${memoryGib} GiB, Node ${nodeVersion}${runtime}${when}`;
}

const dayOf = (epochMs: number): string => new Date(epochMs).toISOString().slice(0, 10);

function stagesOf(variants: readonly VariantProfile[]): readonly (readonly VariantProfile[])[] {
  const stages = new Map<string, VariantProfile[]>();
  for (const variant of variants) stages.set(variant.stageId, [...(stages.get(variant.stageId) ?? []), variant]);
  return [...stages.values()];
}

const stageSection = (variants: readonly VariantProfile[]): PageSection => ({
  title: `Stage ${variants[0]?.stageId}`,
  blocks: [{ plots: stagePlots(variants) }, pointsTable(variants)],
});

function summaryTable(variants: readonly VariantProfile[]): string {
  const rows = variants.map(({ stageId, variantId, points, loadMs, depth }) => {
    const first = points[0];
    const best = points.reduce<MeasuredPoint | undefined>(
      (most, point) => (most === undefined || point.throughputRps > most.throughputRps ? point : most),
      undefined,
    );
    return [
      `${stageId}/${variantId}`,
      first === undefined ? '–' : msText(first.meanMs),
      first === undefined ? '–' : msText(first.p99Ms),
      best === undefined ? '–' : `${best.throughputRps.toFixed(0)} at batch ${best.batchSize}`,
      memoryText(Math.max(0, ...points.map(({ memoryBytes = 0 }) => memoryBytes))),
      msText(loadMs),
      depth,
    ];
  });
  return htmlTable('Variants', ['variant', 'one item', 'its p99', 'most items/s', 'memory', 'load', 'depth'], rows);
}

function pointsTable(variants: readonly VariantProfile[]): string {
  const rows = variants.flatMap(({ variantId, points }) =>
    points.map((point) => [
      variantId,
      String(point.cpuCores),
      String(point.batchSize),
      `${msText(point.meanMs)} ±${(100 * point.meanUncertaintyFraction).toFixed(1)} %`,
      msText(point.p50Ms),
      msText(point.p95Ms),
      `${msText(point.p99Ms)}${intervalText(point)}`,
      point.throughputRps.toFixed(1),
      point.idle === undefined ? '–' : msText(point.idle.meanMs),
      `${point.batches}, ${point.endedBy === 'sure' ? 'sure' : 'time was up'}`,
    ]),
  );
  return htmlTable(
    `Points of ${variants[0]?.stageId}`,
    ['variant', 'cores', 'batch', 'mean (95 %)', 'p50', 'p95', 'p99 (95 %)', 'items/s', 'mean, others idle', 'batches'],
    rows,
  );
}

function intervalText({ p99IntervalMs }: MeasuredPoint): string {
  return p99IntervalMs === undefined ? '' : ` (${msText(p99IntervalMs[0])} to ${msText(p99IntervalMs[1])})`;
}

function fitTable(variants: readonly VariantProfile[]): string {
  const percent = (fraction: number | undefined): string =>
    fraction === undefined ? '–' : `${(100 * fraction).toFixed(1)} %`;
  const rows = variants.flatMap(({ stageId, variantId, fits }) =>
    fits.map(({ cpuCores, batchSizes, raisedFraction, leaveOneOutFraction }) => [
      `${stageId}/${variantId}`,
      String(cpuCores),
      batchSizes.join(', '),
      percent(raisedFraction),
      percent(leaveOneOutFraction),
    ]),
  );
  return htmlTable(
    'Fits',
    ['variant', 'cores', 'batch sizes', 'raises a point by at most', 'misses an omitted one by at most'],
    rows,
  );
}

/** Rows of skipped sizes. Sizes with the same cores and reason share a row. */
function skippedRows(variants: readonly VariantProfile[]): readonly (readonly string[])[] {
  return variants.flatMap(({ stageId, variantId, skipped }) => {
    const groups = new Map<string, SkippedPoint[]>();
    for (const point of skipped) {
      const key = `${point.cpuCores} ${point.reason}`;
      groups.set(key, [...(groups.get(key) ?? []), point]);
    }
    return [...groups.values()].map((points) => {
      const [{ cpuCores, reason }] = points as [SkippedPoint];
      const sizes = points.map(({ batchSize }) => batchSize).join(', ');
      return [`${stageId}/${variantId}`, `${coresText(cpuCores)}, batch ${sizes}`, reason];
    });
  });
}

function memoryText(bytes: number): string {
  return bytes === 0 ? '–' : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
