/** Section of the report: cost of each measured operator against the model, and what operators carry by the model. */
import { MOST_SHARD_CORES, MOST_SHARD_MIB } from './bars.js';
import type { OperatorsFigures } from './operators.js';
import { type CostModel, type CostPoint, carriedBy, costOf, fitCost } from './operators-model.js';

/** The model is fitted without this run, and checked on it. */
const isCheck = ({ pipelines, operators }: OperatorsFigures): boolean => pipelines === 100 && operators === 4;
const OPERATORS = [1, 2, 4, 10, 100];
const FEWEST_RUNS = 3;

/** The mean operator of a run. */
function pointOf({ each, pipelines }: OperatorsFigures): CostPoint {
  const mean = (measureOf: (one: OperatorsFigures['each'][number]) => number): number =>
    each.reduce((sum, one) => sum + measureOf(one), 0) / each.length;
  const own = mean((one) => one.pipelines);
  return {
    own,
    others: pipelines - own,
    cores: mean(({ cores }) => cores),
    residentMib: mean((one) => one.residentMib),
  };
}

/** No section with too few runs for the model. */
export function carrySection(runs: readonly OperatorsFigures[]): readonly string[] {
  const fitted = runs.filter((run) => !isCheck(run)).map(pointOf);
  if (fitted.length < FEWEST_RUNS) return [];
  const model = fitCost(fitted);
  const lines = [
    ...['## What operators carry', '', formula(model), ''],
    ...[...measuredRows(runs, model), '', ...carriedRows(model), ''],
  ];
  return [lines.join('\n')];
}

function formula({ cores, residentMib }: CostModel): string {
  const [percents, mib] = [
    cores.map((term) => (100 * term).toPrecision(2)),
    residentMib.map((term) => term.toPrecision(3)),
  ];
  return `An operator with N own pipelines, and M of others, needs ${percents[0]} % + ${percents[1]} % · N + ${percents[2]} % · M of a core, and ${mib[0]} + ${mib[1]} · N + ${mib[2]} · M MiB. Fitted to the runs below, except the one that checks it.`;
}

function measuredRows(runs: readonly OperatorsFigures[], model: CostModel): readonly string[] {
  const rows = runs.map((run) => {
    const point = pointOf(run);
    const cores = [point.cores, costOf(model.cores, point)].map((value) => `${(100 * value).toFixed(1)} %`);
    const mib = [point.residentMib, costOf(model.residentMib, point)].map((value) => value.toFixed(0));
    return `| ${run.pipelines} | ${run.operators} | ${cores.join(' | ')} | ${mib.join(' | ')} | ${isCheck(run) ? 'check' : ''} |`;
  });
  return [
    '| pipelines | operators | a core, each | by the model | MiB, each | by the model | |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ];
}

function carriedRows(model: CostModel): readonly string[] {
  const bounds = { cores: MOST_SHARD_CORES, residentMib: MOST_SHARD_MIB };
  const rows = OPERATORS.map((operators) => {
    const { pipelines, limit } = carriedBy(model, operators, bounds);
    return `| ${operators} | ${pipelines} | ${limit} |`;
  });
  return [
    `Pipelines that operators carry by the model, each within ${100 * MOST_SHARD_CORES} % of a core and ${MOST_SHARD_MIB} MiB:`,
    '',
    '| operators | pipelines | limit |',
    '|---|---|---|',
    ...rows,
  ];
}
