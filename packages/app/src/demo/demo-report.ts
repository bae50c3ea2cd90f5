import type { PipelineSpec } from '@equipoise/core/model';
import { htmlPage, htmlTable, type PageSection } from '../report/html-page.js';
import { plotSvg } from '../report/plot.js';
import { choiceText, fractionText, percentText } from '../terminal/plan-table.js';
import type { DemoCheck } from './demo-checks.js';
import type { PlanInForce, RunTotals, SecondRow } from './demo-record.js';

export interface ComparedRun {
  readonly name: string;
  /** `simulated` uses the measured profile. */
  readonly how: 'served' | 'simulated';
  readonly totals: RunTotals;
  readonly variants: string;
}

export interface DemoOutcome {
  readonly spec: PipelineSpec;
  readonly seconds: readonly SecondRow[];
  readonly plans: readonly PlanInForce[];
  readonly runs: readonly ComparedRun[];
  readonly checks: readonly DemoCheck[];
  readonly machine: string;
}

const SIZE = { width: 820, height: 180 } as const;

/** HTML report of the demo, compared with fixed plans on the same load. */
export async function demoReport(outcome: DemoOutcome): Promise<string> {
  const { spec, runs, checks, machine } = outcome;
  const sections: PageSection[] = [
    { title: 'Load and planned capacity', html: await loadPlot(outcome) },
    {
      title: `Tail latency (SLO p${spec.slo.percentile} ≤ ${spec.slo.latencyMs} ms)`,
      html: await latencyPlot(outcome),
    },
    { title: 'Accuracy of the plan in force', html: await accuracyPlot(outcome) },
    { title: 'Against fixed plans on the same load', html: runsTable(runs) },
    { title: 'Plans in force', html: plansTable(outcome.plans) },
    {
      title: 'Checks',
      html: htmlTable(
        ['check', 'figure', 'met'],
        checks.map(({ name, figure, met }) => [name, figure, met ? 'yes' : 'no']),
      ),
    },
  ];
  return htmlPage({ title: `Equipoise demo: ${spec.name}`, lead: machine, sections });
}

function runsTable(runs: readonly ComparedRun[]): string {
  return htmlTable(
    ['plan', 'how', 'within the SLO', 'mean accuracy', 'dropped', 'failed', 'variants'],
    runs.map(({ name, how, totals, variants }) => [
      name,
      how,
      percentText(totals.sloAttainmentFraction),
      fractionText(totals.pasMean),
      String(totals.dropped),
      String(totals.failed),
      variants,
    ]),
  );
}

function plansTable(plans: readonly PlanInForce[]): string {
  return htmlTable(
    ['from', 'variants', 'accuracy', 'capacity', 'why'],
    plans.map(({ atS, plan, reason }) => [
      `${atS.toFixed(1)} s`,
      choiceText(plan),
      fractionText(plan.predicted.pas),
      `${plan.predicted.capacityRps.toFixed(1)} rps`,
      reason,
    ]),
  );
}

const timeAxis = { field: 'atS', type: 'quantitative', title: 'seconds' } as const;

function loadPlot({ seconds }: DemoOutcome): Promise<string> {
  const values = seconds.flatMap(({ atS, arrived, capacityRps }) => [
    { atS, rps: arrived, what: 'arrivals' },
    { atS, rps: capacityRps, what: 'capacity' },
  ]);
  return plotSvg({
    ...SIZE,
    data: { values },
    mark: { type: 'line', interpolate: 'step-after' },
    encoding: {
      x: timeAxis,
      y: { field: 'rps', type: 'quantitative', title: 'requests per second' },
      color: { field: 'what', type: 'nominal', title: null },
    },
  });
}

function latencyPlot({ seconds, spec }: DemoOutcome): Promise<string> {
  const values = seconds.flatMap(({ atS, p99Ms }) => (p99Ms === undefined ? [] : [{ atS, p99Ms }]));
  return plotSvg({
    ...SIZE,
    layer: [
      {
        data: { values },
        mark: 'line',
        encoding: { x: timeAxis, y: { field: 'p99Ms', type: 'quantitative', title: 'p99 of 10 s (ms)' } },
      },
      {
        data: { values: [{ slo: spec.slo.latencyMs }] },
        mark: { type: 'rule', color: '#c4320a', strokeDash: [6, 4] },
        encoding: { y: { field: 'slo', type: 'quantitative' } },
      },
    ],
  });
}

function accuracyPlot({ seconds }: DemoOutcome): Promise<string> {
  return plotSvg({
    ...SIZE,
    data: { values: seconds.map(({ atS, pas }) => ({ atS, pas })) },
    mark: { type: 'line', interpolate: 'step-after', color: '#8a3ffc' },
    encoding: { x: timeAxis, y: { field: 'pas', type: 'quantitative', title: 'accuracy', scale: { zero: false } } },
  });
}
