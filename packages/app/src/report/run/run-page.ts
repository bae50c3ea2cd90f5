/** Report of a run: key figures, the pipeline and its stages over time, latencies, changes and decisions. */
import type { DecisionRecord } from '@equipoise/core/model';
import { counted } from '../../terminal/counted.js';
import { percentText } from '../../terminal/plan-table.js';
import { type Fact, htmlHeading } from '../page/html.js';
import type { PageSection, ReportPage } from '../page/html-page.js';
import { changeMarks, decisionSections } from './decision-sections.js';
import { MEETING_MS } from './log-points.js';
import { isAdvice, isInForce } from './plan-change.js';
import { runColumns, thinned } from './run-columns.js';
import { latencyPlots, loadPlot, pipelinePlots, quantileMs, type RunPlots, stagePlots } from './run-plots.js';
import type { EndedRequests, OutcomeWindow, RunPoint, RunRecord } from './run-record.js';

/** Points of all plots together, so that a page with many stages stays below its limit. */
const MOST_FIGURES = 36_000;
const FIGURES_OF_PIPELINE = 12;
const FIGURES_OF_STAGE = 9;
const MOST_POINTS = 360;
const FEWEST_POINTS = 60;
/** Stages with plots of their own: those with the most cores. */
const MOST_STAGES = 30;

export function runPage(run: RunRecord): ReportPage {
  const { pipeline, origin } = run;
  return {
    kind: 'Report',
    title: pipeline,
    lead: `${origin}. ${periodText(run)}`,
    facts: runFacts(run),
    sections: [...runSections(run), ...decisionSections(run.decisions)],
  };
}

/** Sections over time, and of the latencies. */
export function runSections(run: RunRecord): readonly PageSection[] {
  const { points, latencies, slo, decisions } = run;
  const distribution = latencyPlots(latencies, slo?.latencyMs);
  const byLatency: PageSection = {
    title: 'Latencies',
    text: 'Completed requests of the whole time, in buckets of 9 %.',
    blocks: [{ plots: distribution }],
  };
  if (points.length === 0) return distribution.length === 0 ? [] : [byLatency];
  const stages = stageIdsOf(points);
  const ordered = points.toSorted((a, b) => a.atEpochMs - b.atEpochMs);
  const plotted = thinned({ points: ordered }, pointsFor(Math.min(MOST_STAGES, stages.length)));
  const plots: RunPlots = { run, columns: runColumns(plotted), marks: changeMarks(decisions) };
  const left = stages.length - MOST_STAGES;
  return [
    { title: 'Over time', blocks: [{ plots: [loadPlot(plots), ...pipelinePlots(plots)] }] },
    ...(distribution.length === 0 ? [] : [byLatency]),
    {
      title: 'Stages',
      ...(left > 0 && { text: `The ${MOST_STAGES} stages with the most cores; ${counted(left, 'stage')} not shown.` }),
      blocks: stages.slice(0, MOST_STAGES).flatMap((id) => [htmlHeading(id), { plots: stagePlots(plots, id) }]),
    },
  ];
}

function pointsFor(stages: number): number {
  const most = Math.floor(MOST_FIGURES / (FIGURES_OF_PIPELINE + FIGURES_OF_STAGE * stages));
  return Math.max(FEWEST_POINTS, Math.min(MOST_POINTS, most));
}

/** In the order of the pipeline; if there are too many, those with the most cores. */
function stageIdsOf(points: readonly RunPoint[]): readonly string[] {
  const ids = [...new Set(points.flatMap(({ stages }) => Object.keys(stages)))];
  if (ids.length <= MOST_STAGES) return ids;
  const coresOf = (id: string) => largest(points.map(({ stages }) => stages[id]?.cpuCores ?? 0));
  return ids
    .map((id) => [id, coresOf(id)] as const)
    .sort(([, a], [, b]) => b - a)
    .map(([id]) => id);
}

function periodText({ points, decisions }: RunRecord): string {
  const times = (points.length === 0 ? decisions : points).map(({ atEpochMs }) => atEpochMs);
  if (times.length === 0) return 'Nothing was recorded';
  const [first, last] = [-largest(times.map((each) => -each)), largest(times)];
  const text = (epochMs: number) => new Date(epochMs).toISOString().slice(0, 19).replace('T', ' ');
  const period = `${text(first)} to ${text(last)} UTC (${durationText(last - first)})`;
  const isSetBack = times.some((each, i) => each < (times[i - 1] ?? each));
  return isSetBack ? `${period}. The clock was set back in this time; plots go by the clock` : period;
}

function durationText(ms: number): string {
  const s = Math.round(ms / 1000);
  if (s < 120) return counted(s, 'second');
  if (s < 2 * 3600) return counted(Math.round(s / 60), 'minute');
  return s < 48 * 3600 ? `${(s / 3600).toFixed(1)} hours` : `${(s / 86_400).toFixed(1)} days`;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A saved run may have more points than a call may have arguments. */
const largest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value));

export function runFacts(run: RunRecord): readonly Fact[] {
  const { points, decisions } = run;
  const accuracies = points.map(({ accuracy }) => accuracy).filter((value) => value !== undefined);
  const cores = fromFirstPlan(points.map(({ cpuCores }) => cpuCores.planned).filter((value) => value !== undefined));
  return [
    ...(points.length === 0 ? [] : loadFacts(points)),
    ...sloFacts(run),
    ...(accuracies.length === 0
      ? []
      : [{ label: 'Accuracy', value: mean(accuracies).toFixed(3), note: 'mean over time' }]),
    ...(cores.length === 0 ? [] : [{ label: 'Cores planned', value: mean(cores).toFixed(1), note: 'mean' }]),
    changesFact(decisions),
  ];
}

/** Before the first plan, no cores are planned. */
const fromFirstPlan = (cores: readonly number[]): readonly number[] =>
  cores.slice(
    Math.max(
      0,
      cores.findIndex((value) => value > 0),
    ),
  );

function changesFact(decisions: readonly DecisionRecord[]): Fact {
  const advised = decisions.filter(isAdvice).length;
  const advice = advised === 0 ? '' : `, ${advised} of them only advised`;
  const [first] = decisions;
  const since = first !== undefined && first.id > 1 ? `, since decision ${first.id}` : '';
  const note = `of ${counted(decisions.length, 'decision')}${advice}${since}`;
  return { label: 'Plan changes', value: String(decisions.filter(isInForce).length), note };
}

function loadFacts(points: readonly RunPoint[]): readonly Fact[] {
  const rates = points.map(({ arrivalRps }) => arrivalRps);
  const most = `at most ${largest(rates).toFixed(1)}`;
  return [{ label: 'Arrivals', value: mean(rates).toFixed(1), unit: 'rps', note: most }];
}

/** Times that do not overlap, so that no request counts twice. A clock that was set back begins again. */
function countedOnce(outcomes: readonly OutcomeWindow[]): readonly OutcomeWindow[] {
  let countedToEpochMs = Number.NEGATIVE_INFINITY;
  let lastAtEpochMs = Number.NEGATIVE_INFINITY;
  return outcomes.filter(({ decidedAtEpochMs, fromEpochMs, toEpochMs }) => {
    if (decidedAtEpochMs < lastAtEpochMs) countedToEpochMs = Number.NEGATIVE_INFINITY;
    lastAtEpochMs = decidedAtEpochMs;
    if (fromEpochMs < countedToEpochMs - MEETING_MS) return false;
    countedToEpochMs = toEpochMs;
    return true;
  });
}

/** Rates of ended requests, and the time of each; points are equally long. */
function endedRates({ points, outcomes }: RunRecord): readonly { readonly s: number; readonly ended: EndedRequests }[] {
  if (outcomes === undefined) return points.map((ended) => ({ s: 1, ended }));
  return countedOnce(outcomes).map(({ fromEpochMs, toEpochMs, ended }) => ({
    s: (toEpochMs - fromEpochMs) / 1000,
    ended,
  }));
}

function sloFacts(run: RunRecord): readonly Fact[] {
  const { latencies, slo, percentile } = run;
  const known = endedRates(run);
  const sum = (of: (ended: EndedRequests) => number | undefined) =>
    known.reduce((total, { s, ended }) => total + s * (of(ended) ?? 0), 0);
  const dropped = sum(({ drops = {} }) => Object.values(drops).reduce((total, rps) => total + rps, 0));
  const ended = sum(({ completedRps, failedRps }) => (completedRps ?? 0) + (failedRps ?? 0)) + dropped;
  const within = sum(({ completedRps, lateRps }) => (completedRps ?? 0) - (lateRps ?? 0)) / ended;
  const tailMs = quantileMs(latencies, percentile / 100);
  return [
    ...(ended === 0 || slo === undefined
      ? []
      : [
          {
            ...{
              label: 'Within the SLO',
              value: percentText(within),
              note: `p${slo.percentile} ≤ ${slo.latencyMs} ms`,
            },
            status: 100 * within >= slo.percentile ? ('ok' as const) : ('bad' as const),
          },
          { label: 'Dropped', value: percentText(dropped / ended) },
        ]),
    ...(tailMs === undefined
      ? []
      : [{ label: `Latency p${percentile}`, value: String(Number(tailMs.toPrecision(3))), unit: 'ms' }]),
  ];
}
