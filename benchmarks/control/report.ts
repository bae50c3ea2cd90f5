/** Page of the results. */
import { barsOf, type LoadResult } from './bars.js';
import { type CellFigures, type ControllerName, controllers } from './cell.js';

/** Content of results.json. */
export interface KeptResults {
  readonly made: string;
  readonly results: readonly LoadResult[];
}

function row(controller: ControllerName, figures: CellFigures): string {
  const { attainmentFraction, lost, pasMean, cpuCoresMean, p99Ms, changes, protections, mostSwitches } = figures;
  const cells = [
    controller,
    `${(100 * attainmentFraction).toFixed(2)} %`,
    lost,
    (100 * pasMean).toFixed(2),
    cpuCoresMean.toFixed(2),
    p99Ms.toFixed(0),
    `${changes} (${protections})`,
    mostSwitches,
  ];
  return `| ${cells.join(' | ')} |`;
}

function resultText(result: LoadResult): string {
  const { pipeline, mode, load, budgetCores, cells } = result;
  const bars = barsOf(result).map(
    ({ claim, figure, bar, met }) => `| ${claim} | ${figure} | ${bar} | ${met ? 'met' : '**missed**'} |`,
  );
  const rows = controllers.flatMap((name) => (cells[name] === undefined ? [] : [row(name, cells[name])]));
  return [
    `## ${pipeline}, ${mode}, ${load}`,
    `Budget ${budgetCores.toFixed(1)} cores.`,
    ['| claim | measured | bar | |', '|---|---|---|---|', ...bars].join('\n'),
    [
      '| controller | attainment | lost | PAS | cores | p99 ms | changes (protections) | switches |',
      '|---|---|---|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
  ].join('\n\n');
}

/** Bars of the seeds after the first, one row each; the page does not show the cells of these seeds. */
function seedsTable(results: readonly LoadResult[]): string {
  const rows = results.flatMap((result) =>
    barsOf(result).map(({ claim, figure, bar, met }) => {
      const { pipeline, mode, load, seed } = result;
      return `| ${[seed, pipeline, mode, load, claim, figure, bar, met ? 'met' : '**missed**'].join(' | ')} |`;
    }),
  );
  return [
    '| seed | pipeline | mode | load | claim | measured | bar | |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

export function controlReport({ made, results }: KeptResults): string {
  const bars = results.flatMap(barsOf);
  const firstSeed = Math.min(...results.map(({ seed }) => seed));
  const first = results.filter(({ seed }) => seed === firstSeed);
  const others = results.filter(({ seed }) => seed !== firstSeed).sort((a, b) => a.seed - b.seed);
  const head =
    'Simulated loop, figures over the arrivals behind the first minute; cores are the mean of what replicas hold, those that start included. ' +
    'The clairvoyant is the same planner at the same ticks with the largest rate of the next 20 s for a forecast. Cells that are not in ' +
    'the table were not run.';
  return `${[
    '# Control',
    `${made} (the last cell).`,
    head,
    `${bars.filter(({ met }) => met).length} of ${bars.length} bars are met.`,
    `# Seed ${firstSeed}`,
    ...first.map(resultText),
    ...(others.length === 0 ? [] : ['# Other seeds', seedsTable(others)]),
  ].join('\n\n')}\n`;
}
