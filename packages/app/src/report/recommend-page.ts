/** Report of a recommendation: the answer to each question, and the trade-off of two free quantities. */
import { bindingText } from '@equipoise/core/model';
import { estimateText } from '../cells/seed-figures.js';
import { quantities } from '../recommend/quantities.js';
import { type Answer, REQUESTS, SEEDS } from '../recommend/recommend-task.js';
import { verdictOf } from '../recommend/recommendation.js';
import { choiceText } from '../terminal/plan-table.js';
import { needsLines } from '../terminal/plan-text.js';
import { type Fact, htmlTable } from './page/html.js';
import type { PageSection, ReportPage } from './page/html-page.js';
import type { PlotSpec } from './plot/plot-spec.js';

/** `asked`: the conditions in words. `notes`: what is not proven. */
export interface Recommended {
  readonly pipeline: string;
  readonly asked: string;
  readonly answers: readonly Answer[];
  readonly notes: readonly string[];
}

export function recommendPage({ pipeline, asked, answers, notes }: Recommended): ReportPage {
  const isSimulated = answers.some(({ figures }) => figures !== undefined);
  const note = isSimulated
    ? `Within the SLO and p99 are means over ${SEEDS.length} simulations of ${REQUESTS} requests, with 95 % intervals.`
    : 'By the estimate alone.';
  return {
    kind: 'Recommendation',
    title: `Recommendation for ${pipeline}`,
    lead: `${asked}. ${note}`,
    facts: factsOf(answers),
    sections: [
      ...tradeOffSection(answers),
      {
        title: 'Answers',
        ...(notes.length > 0 && { text: capitalized(`${notes.join('; ')}.`) }),
        blocks: [htmlTable('Answers', HEAD, answers.map(rowOf))],
      },
    ],
  };
}

function factsOf(answers: readonly Answer[]): readonly Fact[] {
  const found = answers.filter(({ recommended }) => recommended.kind === 'found').length;
  const missed = answers.filter((answer) => verdictOf(answer) === 'missed').length;
  return [
    { label: 'Answers', value: String(answers.length) },
    { label: 'With a plan', value: String(found), status: found > 0 ? 'ok' : 'bad' },
    ...(missed === 0
      ? []
      : [{ label: 'SLO missed with drops', value: String(missed), note: 'see simulate', status: 'warn' } as const]),
  ];
}

const HEAD = ['free', 'best', 'accuracy', 'cost per hour', 'cores', 'within SLO %', 'p99 ms', 'variants'];

const nameOf = ({ recommended, at }: Answer): string => {
  const { title } = quantities[recommended.free];
  return at === undefined ? title : `${title} at ${quantities[at.free].text(at.value)}`;
};

function rowOf(answer: Answer): readonly string[] {
  const { recommended, figures } = answer;
  if (recommended.kind === 'none') {
    const { result } = recommended;
    const found = result.kind === 'infeasible' ? 'none' : 'not found';
    const needs = needsLines(result).join(' ');
    const why = `${bindingText(result.bindingConstraint)}${needs === '' ? '' : `; ${needs}`}`;
    return [nameOf(answer), found, ...new Array(5).fill('–'), why];
  }
  const { plan, value, free } = recommended;
  const { pas, costPerHour, cpuCores } = plan.predicted;
  return [
    nameOf(answer),
    quantities[free].text(value),
    ...[pas.toFixed(3), costPerHour.toFixed(2), String(Number(cpuCores.toFixed(2)))],
    figures === undefined ? '–' : estimateText(figures.sloAttainmentFraction, 2, 100),
    figures === undefined ? '–' : estimateText(figures.latencyMs.p99, 1),
    choiceText(plan),
  ];
}

const capitalized = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** Without a second free quantity, there is no trade-off. */
function tradeOffSection(answers: readonly Answer[]): readonly PageSection[] {
  const points = answers.flatMap((answer) => {
    const { recommended, at } = answer;
    if (at === undefined || recommended.kind === 'none') return [];
    const tip = [nameOf(answer), `best\t${quantities[recommended.free].text(recommended.value)}`];
    const variants = `variants\t${choiceText(recommended.plan)}`;
    return [{ x: at.value, y: recommended.value, tip: [...tip, variants].join('\n') }];
  });
  const [{ recommended, at } = {}] = answers;
  if (points.length < 2 || recommended === undefined || at === undefined) return [];
  const [along, best] = [quantities[at.free], quantities[recommended.free]];
  const plot: PlotSpec = {
    ...{ title: capitalized(`${best.label} by ${along.label}`), isWide: true },
    x: { label: along.label, isLoose: true, ...(along.unit !== undefined && { unit: along.unit }) },
    y: { isLoose: true, ...(best.unit !== undefined && { unit: best.unit }) },
    layers: [{ kind: 'points', name: 'best plan', color: 'c1', shape: 'disc', points }],
  };
  return [{ title: 'Trade-off', blocks: [{ plots: [plot] }] }];
}
