import type { PipelineSpec } from '@equipoise/core/model';
import { htmlTable } from '../report/page/html.js';
import type { ReportPage } from '../report/page/html-page.js';
import { decisionSections } from '../report/run/decision-sections.js';
import { runFacts, runSections } from '../report/run/run-page.js';
import type { RunRecord } from '../report/run/run-record.js';
import { fractionText, percentText } from '../terminal/plan-table.js';
import type { DemoCheck } from './demo-checks.js';
import type { PlanInForce, RunTotals } from './demo-record.js';

export interface ComparedRun {
  readonly name: string;
  /** `simulated` uses the measured profile. */
  readonly how: 'served' | 'simulated';
  readonly totals: RunTotals;
  readonly variants: string;
}

export interface DemoOutcome {
  readonly spec: PipelineSpec;
  readonly record: RunRecord;
  readonly plans: readonly PlanInForce[];
  readonly runs: readonly ComparedRun[];
  readonly checks: readonly DemoCheck[];
  readonly machine: string;
}

/** Report of the demo: the run, compared with fixed plans on the same load. */
export function demoPage({ spec, record, runs, checks, machine }: DemoOutcome): ReportPage {
  const met = checks.filter((check) => check.met).length;
  return {
    kind: 'Demo',
    title: `Equipoise demo: ${spec.name}`,
    lead: machine,
    facts: [
      ...runFacts(record),
      {
        ...{ label: 'Checks', value: `${met} of ${checks.length}`, note: 'met' },
        status: met === checks.length ? 'ok' : 'bad',
      },
    ],
    sections: [
      {
        title: 'Against fixed plans on the same load',
        text: 'Served runs count at the client, from the scheduled send times. Simulated runs use the measured profile.',
        blocks: [runsTable(runs)],
      },
      ...runSections(record),
      {
        title: 'Checks',
        blocks: [
          htmlTable(
            'Checks',
            ['check', 'figure', 'met'],
            checks.map(({ name, figure, met: isMet }) => [name, figure, isMet ? 'yes' : 'no']),
          ),
        ],
      },
      ...decisionSections(record.decisions),
    ],
  };
}

function runsTable(runs: readonly ComparedRun[]): string {
  return htmlTable(
    'Served and simulated runs',
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
