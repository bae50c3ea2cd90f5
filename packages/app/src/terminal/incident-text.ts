import type { IncidentCard } from '@equipoise/core/diagnose';
import pc from 'picocolors';
import { counted } from './counted.js';
import { percentText, planTable } from './plan-table.js';
import { textTable } from './text-table.js';

type Incident = Extract<IncidentCard, { verdict: 'incident' }>;

/** Card of `equipoise why`. */
export function incidentText(pipelineName: string, card: IncidentCard): string {
  const window = `${timeText(card.fromEpochMs)} to ${timeText(card.toEpochMs)}`;
  const head = `${pc.bold(pipelineName)} from ${window}`;
  switch (card.verdict) {
    case 'no-data':
      return `${head}\n${card.text}`;
    case 'healthy':
      return `${head}: ${pc.bold('healthy')}\n${card.text}`;
    case 'incident':
      return [`${head}: ${pc.bold(causeText(card))}`, ...incidentSections(card)].join('\n');
  }
}

function causeText({ cause, stageId }: Pick<Incident, 'cause' | 'stageId'>): string {
  return stageId === undefined ? cause : `${cause} at stage ${stageId}`;
}

function incidentSections(card: Incident): readonly string[] {
  const { summary, firstSignal, evidence, runnerUp, counterfactual, episode } = card;
  const harm = card.harmful ? [`worst from ${timeText(episode.fromEpochMs)} to ${timeText(episode.toEpochMs)}`] : [];
  return [
    summary,
    section('Harm'),
    harmText(card),
    ...harm,
    section('First signal'),
    `${timeText(firstSignal.atEpochMs)}: ${firstSignal.text}`,
    ...(evidence.length === 0 ? [] : [section('Evidence'), evidenceTable(evidence)]),
    ...(runnerUp === undefined ? [] : [section(`Why not ${causeText(runnerUp)}`), runnerUp.against]),
    ...(counterfactual === undefined ? [] : [section('What would have helped'), counterfactual.text]),
    ...(counterfactual?.plan === undefined ? [] : [planTable(counterfactual.plan)]),
  ];
}

const section = (title: string): string => `\n${pc.bold(title)}`;

function harmText({ harm, harmful }: Incident): string {
  const { requests, missed, dropped, failed, late, missedFraction, allowedFraction } = harm;
  const parts = `${dropped} dropped, ${failed} failed, ${late} late`;
  const verdict = harmful ? '' : '; the SLO is met all the same';
  return `${missed} of ${counted(requests, 'request')} missed the SLO (${percentText(missedFraction)}; allowed ${percentText(allowedFraction)}): ${parts}${verdict}`;
}

function evidenceTable(evidence: Incident['evidence']): string {
  const right = (title: string) => ({ right: title });
  const rows = evidence.map(({ text, measured, expected, low, high }) => [
    text,
    figure(measured),
    low === undefined || high === undefined ? '' : `${figure(low)} to ${figure(high)}`,
    figure(expected),
  ]);
  return textTable(['figure', right('measured'), right('interval'), right('expected')], rows);
}

const figure = (value: number | null | undefined): string =>
  value === undefined || value === null || !Number.isFinite(value) ? '' : String(Number(value.toPrecision(3)));

const timeText = (epochMs: number): string => new Date(epochMs).toISOString().replace('T', ' ').slice(0, 19);
