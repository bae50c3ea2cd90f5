/**
 * Writes packages/core/src/estimate/tables/spread-table.gen.ts: the additions of service variation to the sojourn
 * table, simulated with fixed seeds. Constant and varying service times use the same draws. A run takes some six
 * minutes of one core.
 */
import { writeFileSync } from 'node:fs';
import {
  CELL_NUMBERS,
  type Company,
  capGrid,
  companies,
  loadGrid,
  replicaGrid,
  type SojournCell,
  scalingGrid,
} from '../packages/core/src/estimate/tables/sojourn-grid.js';
import { ANSWER_NUMBERS, lookUp, type TablePoint } from '../packages/core/src/estimate/tables/sojourn-table.js';
import {
  encodeShift,
  spreadCapGrid,
  spreadCompanies,
  spreadLaws,
  spreadOffset,
  spreadReplicaGrid,
  spreadRowCount,
  spreadRowIndex,
  spreadScalingGrid,
  spreadSigmas,
} from '../packages/core/src/estimate/tables/spread-table.js';
import { type GridCell, lognormalFactors, simulateRow, unitArrivals } from './sojourn-cells.js';

const TARGET = new URL('../packages/core/src/estimate/tables/spread-table.gen.ts', import.meta.url);
const SEED = 8001;
const LEAST_DISTURBED = 2e-3;
const startedAtMs = performance.now();
let rowsDone = 0;

function report(): void {
  rowsDone++;
  const total = spreadCompanies.length * spreadRowCount;
  const minutesLeft = ((performance.now() - startedAtMs) / rowsDone) * (total - rowsDone) * (1 / 60_000);
  if (rowsDone % 5 === 0) process.stderr.write(`\r${rowsDone} of ${total} rows, ${minutesLeft.toFixed(1)} min left  `);
}

const factorsOf = spreadSigmas.map((sigma, i) => lognormalFactors(sigma, SEED + 50 + i));

/** Values of `grid` to which `node` contributes: those between its neighbours on the coarser `spreadGrid`. */
function around(grid: readonly number[], spreadGrid: readonly number[], node: number): readonly number[] {
  const [low, high] = [spreadGrid[node - 1] ?? -Infinity, spreadGrid[node + 1] ?? Infinity];
  return grid.filter((value) => value === spreadGrid[node] || (value > low && value < high));
}

interface Node {
  readonly n: number;
  readonly b: number;
  readonly s: number;
  readonly company: Company;
}

function companiesAround({ groupSize, dispersion }: Company): readonly Company[] {
  const groups = spreadCompanies.map((company) => company.groupSize).filter((size, i, all) => all.indexOf(size) === i);
  const dispersions = [1, ...spreadCompanies.map((company) => company.dispersion).filter((d) => d > 1)];
  return companies.filter(
    (company) =>
      around([company.groupSize], groups, groups.indexOf(groupSize)).length > 0 &&
      around([company.dispersion], dispersions, dispersions.indexOf(dispersion)).length > 0,
  );
}

/** Rows of the sojourn table to which a node is added. */
function rowsAround({ n, b, s, company }: Node): readonly Omit<TablePoint, 'loadFactor' | 'wholeness'>[] {
  const scalings = b === 0 ? [0] : around(scalingGrid, spreadScalingGrid, s);
  return companiesAround(company).flatMap((of) =>
    around(replicaGrid, spreadReplicaGrid, n).flatMap((replicas) =>
      around(capGrid, spreadCapGrid, b).flatMap((cap) =>
        scalings.map((scaling) => ({ ...of, replicas, cap, scaling })),
      ),
    ),
  );
}

/** Minimum differences between successive loads, for each number, over the rows to which a node is added. */
function leastSteps(node: Node, wholeness: number): readonly Float64Array[] {
  const steps = loadGrid.slice(1).map(() => new Float64Array(ANSWER_NUMBERS).fill(Infinity));
  for (const row of rowsAround(node)) {
    const answers = loadGrid.map((loadFactor) => {
      const answer = new Float64Array(ANSWER_NUMBERS);
      lookUp({ ...row, loadFactor, wholeness }, answer);
      return answer;
    });
    for (const [load, step] of steps.entries())
      for (let i = 0; i < ANSWER_NUMBERS; i++)
        step[i] = Math.min(step[i] as number, (answers[load + 1]?.[i] as number) - (answers[load]?.[i] as number));
  }
  return steps;
}

const numbersOf = (cell: SojournCell): readonly number[] => [cell.logitDisturbed, ...cell.logTimes];

/** Shifts by load, raised where the sum of table and shift would fall with the load. */
function shiftsOf(plain: readonly SojournCell[], varied: readonly SojournCell[], steps: readonly Float64Array[]) {
  const shifts = plain.map((cell, load) =>
    numbersOf(cell).map((number, i) => (numbersOf(varied[load] as SojournCell)[i] as number) - number),
  );
  for (let load = 1; load < shifts.length; load++)
    for (let i = 0; i < CELL_NUMBERS; i++) {
      const least = (shifts[load - 1]?.[i] as number) - Math.max(0, steps[load - 1]?.[1 + i] as number);
      (shifts[load] as number[])[i] = Math.max(shifts[load]?.[i] as number, least);
    }
  return shifts;
}

function putRow(bytes: Uint8Array, node: Node, unitTimes: Float64Array): void {
  const { company } = node;
  const row = spreadRowIndex(node.n, node.b, node.s);
  const common = {
    replicas: spreadReplicaGrid[node.n] as number,
    cap: spreadCapGrid[node.b] as number,
    scaling: spreadScalingGrid[node.s] as number,
    company,
    unitTimes,
    leastDisturbed: LEAST_DISTURBED,
  };
  const plain = simulateRow(common);
  const laws: readonly (keyof GridCell & ('items' | 'requests'))[] =
    spreadLaws(company) === 2 ? ['items', 'requests'] : ['requests'];
  const steps = laws.map((law) => leastSteps(node, law === 'items' ? 0 : 1));
  for (const [sigma, serviceFactors] of factorsOf.entries()) {
    const varied = simulateRow({ ...common, serviceFactors });
    for (const [l, law] of laws.entries()) {
      const shifts = shiftsOf(
        plain.map((cell) => cell[law]),
        varied.map((cell) => cell[law]),
        steps[l] as readonly Float64Array[],
      );
      for (const [load, numbers] of shifts.entries()) {
        const at = spreadOffset(company, row, load) + (l * spreadSigmas.length + sigma) * CELL_NUMBERS;
        bytes.set(numbers.map(encodeShift), at);
      }
    }
  }
}

function textOf(company: Company, seed: number): string {
  const bytes = new Uint8Array(spreadOffset(company, spreadRowCount, 0));
  for (const [n] of spreadReplicaGrid.entries()) {
    const unitTimes = unitArrivals(company, seed + n);
    for (const [b, cap] of spreadCapGrid.entries())
      for (const [s] of spreadScalingGrid.slice(0, cap === 1 ? 1 : undefined).entries()) {
        putRow(bytes, { n, b, s, company }, unitTimes);
        report();
      }
  }
  return Buffer.from(bytes).toString('base64');
}

const texts = spreadCompanies.map((company, i) => textOf(company, SEED + 100 * i));
const source = `/** Effect of service variation, one text per company of spread-table. Generated by \`npm run generate:sojourn-table\`; never edited by hand. */
export const spreadTableTexts: readonly string[] = [
${texts.map((text) => `  '${text}',`).join('\n')}
];
`;
writeFileSync(TARGET, source);
process.stderr.write(
  `\nWrote ${Math.round(source.length / 1024)} KiB in ${((performance.now() - startedAtMs) / 60_000).toFixed(1)} min\n`,
);
