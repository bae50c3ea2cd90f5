/** Sections about decisions: a card for each change of the plan, and a table of all decisions. */
import type { DecisionRecord, Plan } from '@equipoise/core/model';
import { counted } from '../../terminal/counted.js';
import { changeText, triggerTexts } from '../../terminal/decision-text.js';
import { choiceText, fractionText, msText, percentText, rateText } from '../../terminal/plan-table.js';
import { escapeXml } from '../markup/escape-xml.js';
import { htmlTable, type TableCell } from '../page/html.js';
import type { PageSection } from '../page/html-page.js';
import type { PlotMark } from '../plot/plot-spec.js';
import { type Attempt, isAdvice, isAttempt, isInForce } from './plan-change.js';

/** The newest changes have cards. */
const MOST_CARDS = 80;
const MOST_ROWS = 400;

const attemptsOf = (decisions: readonly DecisionRecord[]): readonly Attempt[] =>
  decisions.filter(isAttempt).slice(-MOST_CARDS);

const anchorOf = ({ id }: DecisionRecord): string => `d${id}`;

/** Flags of the changes in force, which lead to their cards. */
export const changeMarks = (decisions: readonly DecisionRecord[]): readonly PlotMark[] =>
  attemptsOf(decisions)
    .filter(isInForce)
    .map((record) => ({
      x: record.atEpochMs / 1000,
      label: `Decision ${record.id}: ${record.decision.reason}`,
      href: `#${anchorOf(record)}`,
    }));

export function decisionSections(decisions: readonly DecisionRecord[]): readonly PageSection[] {
  if (decisions.length === 0) return [];
  const shown = attemptsOf(decisions);
  const all = decisions.filter((record) => record.decision?.kind === 'apply' && !isAdvice(record)).length;
  const newest = all > shown.length ? `The newest ${shown.length} of ${all}. ` : '';
  const cards: PageSection = {
    title: 'Changes of the plan',
    text: `${newest}Each flag in the first plot leads to a change that came into force.`,
    blocks: shown.map(cardHtml),
  };
  const withCards = new Set(shown.map(({ id }) => id));
  const rows = decisions.slice(-MOST_ROWS).map((record) => rowOf(record, withCards));
  const order =
    decisions.length > MOST_ROWS ? `The newest ${MOST_ROWS} of ${decisions.length}, oldest first.` : 'Oldest first.';
  const text = `${order}${earlierText(decisions)}`;
  const head = ['decision', 'time (UTC)', 'by', 'kind', 'reason', 'outcome'];
  return [
    ...(shown.length > 0 ? [cards] : []),
    { title: 'Decisions', text, blocks: [htmlTable('Decisions', head, rows)] },
  ];
}

/** The plan in force at the start of a report may be of an earlier decision. */
function earlierText([first]: readonly DecisionRecord[]): string {
  if (first === undefined || first.id <= 1) return '';
  return ` Decisions before number ${first.id} are not in this report.`;
}

const timeText = (epochMs: number): string => new Date(epochMs).toISOString().slice(0, 19).replace('T', ' ');

const triggerText = ({ trigger }: DecisionRecord): string => (trigger === undefined ? '–' : triggerTexts[trigger]);

function rowOf(record: DecisionRecord, withCards: ReadonlySet<number>): readonly TableCell[] {
  const { id, atEpochMs, decision, manual } = record;
  const kind = manual?.action ?? (isAdvice(record) ? 'advice' : (decision?.kind ?? 'none'));
  const link = withCards.has(id) ? { text: String(id), href: `#${anchorOf(record)}` } : String(id);
  const reason = decision?.reason ?? manual?.reason ?? '–';
  return [link, timeText(atEpochMs), triggerText(record), kind, reason, outcomeText(record)];
}

function outcomeText(record: DecisionRecord): string {
  const { outcome, decision } = record;
  switch (outcome?.kind) {
    case 'applied':
      return `in force after ${(outcome.tookMs / 1000).toFixed(1)} s`;
    case 'given-up':
      return `given up: ${outcome.message}`;
    case 'failed':
      return `${outcome.step} failed: ${outcome.message}`;
    case undefined:
      if (decision?.kind !== 'apply') return '–';
      return isAdvice(record) ? 'advised only' : 'not recorded';
  }
}

function cardHtml(record: Attempt): string {
  const { id, atEpochMs, decision, outcome } = record;
  const { plan, changes, reason, evidence } = decision;
  const rate = evidence.load?.arrivalRps ?? evidence.forecast.upperRps;
  const steps = changes.map((change) => `<li>${escapeXml(changeText(change))}</li>`).join('');
  const facts = [
    ['variants', choiceText(plan)],
    ['planned for', `${rateText(rate)} rps`],
    ['accuracy', fractionText(plan.predicted.pas)],
    ['cores', String(Number(plan.predicted.cpuCores.toFixed(2)))],
    ['cost per hour', plan.predicted.costPerHour.toFixed(2)],
    ...estimates(plan),
  ].map(([name = '', value = '']) => `<div><dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd></div>`);
  const status = outcome === undefined || outcome.kind === 'applied' ? '' : ' class="bad-text"';
  return `<article class="change" id="${anchorOf(record)}"><h3>Decision ${id} <span class="when">${escapeXml(`${timeText(atEpochMs)} UTC, by ${triggerText(record)}`)}</span></h3><p>${escapeXml(reason)}</p><ul>${steps}</ul><dl>${facts.join('')}</dl><p${status}>${escapeXml(outcomeText(record))}${escapeXml(observedText(record))}</p></article>`;
}

/** A plan read from running replicas has no estimates. */
function estimates({
  predicted: { capacityRps, percentile, latencyMs },
  verified,
}: Plan): readonly (readonly string[])[] {
  if (capacityRps === 0) return [];
  return [
    ['capacity', `${capacityRps.toFixed(1)} rps`],
    [`latency p${percentile}`, msText(verified?.latencyMs ?? latencyMs)],
  ];
}

function observedText({ observed }: DecisionRecord): string {
  if (observed === undefined) return '';
  const { windowMs, arrivalRps, completed, dropped, failed, sloAttainmentFraction, latencyMs } = observed;
  const parts = [
    `${rateText(arrivalRps)} rps`,
    ...(sloAttainmentFraction === undefined ? [] : [`${percentText(sloAttainmentFraction)} within the SLO`]),
    ...(latencyMs === undefined ? [] : [`latency ${msText(latencyMs.atPercentile)} at the SLO percentile`]),
    `${completed} completed, ${dropped} dropped, ${failed} failed`,
  ];
  return `. Observed in ${counted(Math.round(windowMs / 1000), 'second')}: ${parts.join(', ')}`;
}
