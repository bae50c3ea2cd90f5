import type { Slice } from './run-slices.js';
import { type Figures, median, medianFigures } from './slice-figures.js';

/** Content of results.json. */
export interface FidelityResults {
  readonly machine: string;
  readonly slices: readonly Slice[];
}

const P50_BAR = 0.1;
const P99_BAR = 0.15;
const THROUGHPUT_BAR = 0.05;
const DROPS_BAR = 0.02;

/** A combination at a load, over all runs. */
interface Cell {
  readonly combination: string;
  readonly load: Slice['load'];
  readonly slices: readonly Slice[];
}

interface Verdict {
  readonly row: string;
  readonly met: boolean;
}

function cellsOf(slices: readonly Slice[]): readonly Cell[] {
  const cells = new Map<string, Slice[]>();
  for (const slice of slices) {
    const key = `${slice.combination}|${slice.load}`;
    cells.set(key, [...(cells.get(key) ?? []), slice]);
  }
  return [...cells.values()].map((all) => ({
    combination: all[0]?.combination ?? '',
    load: all[0]?.load ?? 0,
    slices: all,
  }));
}

const off = (simulated: number, served: number): number => simulated / served - 1;
const signed = (fraction: number): string => `${fraction >= 0 ? '+' : '−'}${(100 * Math.abs(fraction)).toFixed(1)} %`;
const ms = (value: number): string => value.toFixed(2);
const verdictText = (met: boolean): string => (met ? 'met' : '**missed**');

/** Largest relative distance of a run from the median. */
function rangeFraction(values: readonly number[]): number {
  const middle = median(values);
  return Math.max(...values.map((value) => Math.abs(value / middle - 1)));
}

const by = (
  slices: readonly Slice[],
  which: 'served' | 'simulated' | 'simulatedClosedLoop' | 'simulatedOwnTimes',
): Figures => medianFigures(slices.map((slice) => slice[which]));

const latenciesOff = (simulated: Figures, served: Figures): string =>
  `${signed(off(simulated.p50Ms, served.p50Ms))}, ${signed(off(simulated.p99Ms, served.p99Ms))}`;

function latencyRow({ combination, load, slices }: Cell): Verdict {
  const served = by(slices, 'served');
  const simulated = by(slices, 'simulated');
  const range = rangeFraction(slices.map((slice) => slice.served.p99Ms));
  const p50 = off(simulated.p50Ms, served.p50Ms);
  const p99 = off(simulated.p99Ms, served.p99Ms);
  const bar = Math.max(P99_BAR, range);
  const met = Math.abs(p50) <= P50_BAR && Math.abs(p99) <= bar;
  const client = median(slices.map((slice) => slice.client.p50Ms));
  const way = median(slices.map((slice) => slice.wayMs));
  const cells = [
    combination,
    `${Math.round(100 * Number(load))} %`,
    `${slices[0]?.requests} × ${slices.length}`,
    `${ms(served.p50Ms)} / ${ms(simulated.p50Ms)}`,
    signed(p50),
    `${ms(served.p99Ms)} / ${ms(simulated.p99Ms)}`,
    `${signed(p99)} (±${(100 * bar).toFixed(0)} %)`,
    latenciesOff(by(slices, 'simulatedOwnTimes'), served),
    latenciesOff(by(slices, 'simulatedClosedLoop'), served),
    `${ms(client)} / ${ms(simulated.p50Ms + way)}`,
    verdictText(met),
  ];
  return { row: `| ${cells.join(' | ')} |`, met };
}

function overloadRow(combination: string, cells: readonly Cell[]): Verdict {
  const of = (load: Slice['load']) =>
    cells.find((cell) => cell.combination === combination && cell.load === load)?.slices ?? [];
  const [saturation, overload] = [of('saturation'), of(1.1)];
  const rps = (which: Parameters<typeof by>[1]) => by(saturation, which).completedRps;
  const [servedRps, simulatedRps] = [rps('served'), rps('simulated')];
  const [servedDrops, simulatedDrops] = (['served', 'simulated'] as const).map(
    (which) => by(overload, which).droppedFraction,
  ) as [number, number];
  const met =
    Math.abs(off(simulatedRps, servedRps)) <= THROUGHPUT_BAR && Math.abs(simulatedDrops - servedDrops) <= DROPS_BAR;
  const row = [
    combination,
    `${servedRps.toFixed(1)} / ${simulatedRps.toFixed(1)}`,
    signed(off(simulatedRps, servedRps)),
    signed(off(rps('simulatedOwnTimes'), servedRps)),
    signed(off(rps('simulatedClosedLoop'), servedRps)),
    `${(100 * servedDrops).toFixed(1)} % / ${(100 * simulatedDrops).toFixed(1)} %`,
    `${signed(simulatedDrops - servedDrops).replace(' %', ' points')}`,
    verdictText(met),
  ];
  return { row: `| ${row.join(' | ')} |`, met };
}

/** Median over the runs of the deviation between saturation throughput and the run's own simulation. */
function medianRunOff(slices: readonly Slice[], name: string): number {
  const runs = slices.filter(({ combination, load }) => combination === name && load === 'saturation');
  return median(runs.map(({ served, simulated }) => off(simulated.completedRps, served.completedRps)));
}

/** Report as Markdown, and true if every bar is met. */
export function fidelityReport({ machine, slices }: FidelityResults): { readonly text: string; readonly met: boolean } {
  const cells = cellsOf(slices);
  const latency = cells.filter(({ load }) => load !== 'saturation' && load < 1).map(latencyRow);
  const names = [...new Set(cells.map(({ combination }) => combination))];
  const overload = names.map((name) => overloadRow(name, cells));
  const percent = (fraction: number) => `${(100 * fraction).toFixed(0)} %`;
  const span = (values: readonly number[]) =>
    `${percent(Math.min(...values))} to ${percent(Math.max(...values))} (median ${percent(median(values))})`;
  const stolen = slices.map(({ stolenFraction }) => stolenFraction);
  const waits = slices.map(({ waitFraction }) => waitFraction);
  const retaken = slices.reduce((sum, slice) => sum + slice.retaken, 0);
  const runByRun = names.map((name) => `${name} ${signed(medianRunOff(slices, name))}`).join('; ');
  const text = `${machine}. Under load, other work took ${span(slices.map(({ otherCpuFraction }) => otherCpuFraction))} of the machine; stolen time was at most ${percent(Math.max(...stolen))}. The time that the replicas' threads waited for their core was ${span(waits)} of their run time; this includes waits for each other. ${retaken} segments were measured again because their threads waited more than 1.5 times as long as in the median calibrating segment.

Latencies are medians of the runs, measured inside the server except for the client's p50. Its simulated value adds the way to the server and back, measured with single requests. *Off* is the error of the simulation. The bar of p50 is ±10 %. The bar of p99 is ±15 %, or the largest distance of a run's served p99 from the median, if that is larger. *Own times* and *profile* are the errors of the two other simulations.

| combination | load | requests × runs | p50, ms, served / simulated | off | p99, ms, served / simulated | off (bar) | own times: p50 off, p99 off | profile: p50 off, p99 off | client's p50, ms, served / simulated | bars |
|---|---|---|---|---|---|---|---|---|---|---|
${latency.map(({ row }) => row).join('\n')}

The next table has the saturation throughput (bar ±5 %) and the fraction dropped at 110 % of this throughput (bar ±2 points).

| combination | throughput, rps, served / simulated | off | own times: off | profile: off | dropped, served / simulated | off | bars |
|---|---|---|---|---|---|---|---|
${overload.map(({ row }) => row).join('\n')}

If each run is compared with its own simulation, the median error of the saturation throughput is: ${runByRun}.
`;
  return { text, met: [...latency, ...overload].every(({ met }) => met) };
}
