/** Bars of the fuzzer. */
import { atLeast, atMost, type Bar, holds, told } from './bar.js';
import type { HostileFigures } from './fuzz/hostile-connections.js';
import type { FuzzFigures } from './fuzz-run.js';

const MIB = 1024 ** 2;
const MOST_GROWTH_MIB = 8;
/** Maximum time of slow connections: a request may take 60 s, its head 10 s, and the server checks once a second. */
const MOST_SLOW_MS = { heads: 13_000, others: 65_000 };
const MOST_DESCRIPTORS = 5;
const MOST_MEANWHILE_MS = 1000;

/** Bars of the fuzzer. */
export function fuzzBars(figures: FuzzFigures): readonly Bar[] {
  const { requests, outcomes, wrong, idle, keptBytes, openDescriptors } = figures;
  return [
    told(`how ${requests} requests ended`, summary(outcomes)),
    atMost('requests that ended with a 5xx, a status that says so, or not at all', total(wrong), 0, 0),
    ...slowBars('heads', figures.slowHeads, MOST_SLOW_MS.heads),
    ...slowBars('bodies', figures.slowBodies, MOST_SLOW_MS.others),
    ...slowBars('calls of gRPC', figures.slowCalls, MOST_SLOW_MS.others),
    atLeast(`of ${idle.connections} idle connections the server closed`, idle.closedByServer, 0, idle.connections),
    atMost('a good request among them took, ms', idle.servedMeanwhileMs, 0, MOST_MEANWHILE_MS),
    atMost(
      'growth of memory from a tenth of the requests to the end, MiB',
      (keptBytes[1] - keptBytes[0]) / MIB,
      2,
      MOST_GROWTH_MIB,
    ),
    atMost('descriptors more after the idle connections', openDescriptors[1] - openDescriptors[0], 0, MOST_DESCRIPTORS),
    atMost('warnings and errors that the server printed', figures.warnings, 0, 0),
    holds('it still answers, and ends without an error', figures.answersAtEnd && figures.endedWell),
  ];
}

function slowBars(
  name: string,
  { connections, endedByServer, longestMs }: HostileFigures,
  most: number,
): readonly Bar[] {
  return [
    atLeast(`of ${connections} slow ${name} the server ended`, endedByServer, 0, connections),
    atMost(`the longest of them lasted, ms`, longestMs, 0, most),
  ];
}

/** Outcomes summed over all kinds of requests. */
function summary(outcomes: Readonly<Record<string, number>>): string {
  const sums = new Map<string, number>();
  for (const [outcome, count] of Object.entries(outcomes)) {
    const [kind = '', end = ''] = outcome.split(': ');
    const key = `${kind.split(' ')[0]} ${end}`;
    sums.set(key, (sums.get(key) ?? 0) + count);
  }
  return [...sums].map(([key, count]) => `${key}: ${count}`).join('; ');
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
