/** Lines about the corpus of hostile clients. They read the results of `bench:hostile`. */
import { existsSync, readFileSync } from 'node:fs';
import { atLeast, atMost, type Bar, bar, told } from '../data-plane/bar.js';
import type { Results } from '../hostile/report.js';
import { BARS, loadAttacks } from '../hostile/trial.js';
import { isCurrent, type Line, type LineBars, NOT_MEASURED, program, script } from './line.js';

const RUN = 'benchmarks/hostile/run.ts';
const RESULTS = new URL('../hostile/results.json', import.meta.url);
const ALONE_SECONDS = 3;
/** All plain attacks run together for the whole time, the fewer ones of a secure server for half of it. */
const TOGETHER_SECONDS = { plain: 600, secure: 300 } as const;

const needs = [
  program('python3', 'install Python 3'),
  program('chrt', 'install util-linux'),
  program('prlimit', 'install util-linux'),
  program('openssl', 'install OpenSSL'),
];

const names = (await loadAttacks()).map(({ name }) => name);

/** Results of this commit and Node. */
function current(): Results {
  if (!existsSync(RESULTS)) return {};
  const all = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;
  return Object.fromEntries(Object.entries(all).filter(([, { made }]) => isCurrent(made)));
}

/** Bars of all attacks that ran alone. */
export function aloneBars(results: Results, attacks: readonly string[]): LineBars {
  const measured = attacks.filter((name) => results[name] !== undefined);
  const worst = (figure: (result: Results[string]) => number): number =>
    Math.max(0, ...measured.map((name) => figure(results[name] as Results[string])));
  const missed = measured.filter((name) => (results[name]?.missed.length ?? 0) > 0);
  const listed = missed.map((name) => `${name} (${results[name]?.missed.join(', ')})`).join('; ');
  return {
    bars: [
      atLeast(`attacks measured alone, ${ALONE_SECONDS} s each`, measured.length, 0, attacks.length),
      atMost(`attacks that miss a bar: ${listed || 'none'}`, missed.length, 0, 0),
      told('worst /livez, ms', worst(({ figures }) => figures.livezMs).toFixed(0)),
      told('most memory added, MiB', worst(({ figures }) => figures.addedMib).toFixed(0)),
      told('most memory left, MiB', worst(({ figures }) => figures.leftMib).toFixed(0)),
    ],
    isWhole: measured.length === attacks.length,
  };
}

/** Bars of all attacks at once. */
export function togetherBars({ figures, seconds }: Results[string]): readonly Bar[] {
  const { livezMs, healthMs, good, withinSlo, wrong, addedMib, leftMib, forbidden, ownDelayMs } = figures;
  const { livezMs: mostMs, goodTogetherFraction, addedMib: mostMib, leftMib: mostLeftMib } = BARS;
  return [
    atMost(`worst /livez in ${seconds} s, ms`, livezMs, 0, mostMs),
    atMost('worst answer of the health port, ms', healthMs, 0, mostMs),
    atLeast(`fraction of ${good} good requests answered within the SLO`, withinSlo / good, 3, goodTogetherFraction),
    bar('wrong answers', wrong, 0, [0, 0]),
    atMost('memory added, MiB', addedMib, 0, mostMib),
    atMost('memory left within a minute, MiB', leftMib, 0, mostLeftMib),
    bar(`forbidden answers to attackers ${JSON.stringify(forbidden)}`, forbidden.length, 0, [0, 0]),
    told('worst delay of the measuring process, ms', ownDelayMs.toFixed(0)),
  ];
}

function together(server: keyof typeof TOGETHER_SECONDS, limitMinutes: number): Line {
  const name = `together-${server}`;
  const seconds = TOGETHER_SECONDS[server];
  return {
    ...{ name, limitMinutes, needs },
    claim: `all attacks on a ${server} server at once for ${seconds / 60} minutes, next to 20 good requests per second`,
    commands: () => [script(RUN, [name, '--together', String(seconds)])],
    bars: () => {
      const result = current()[name];
      return result?.seconds === seconds ? { bars: togetherBars(result), isWhole: true } : NOT_MEASURED;
    },
  };
}

export const attackLines: readonly Line[] = [
  {
    name: 'attacks-alone',
    claim: 'each attack of the corpus alone, next to 20 good requests per second',
    limitMinutes: 11,
    needs,
    commands: () => {
      const done = current();
      const left = names.filter((name) => done[name] === undefined);
      return left.length === 0 ? [] : [script(RUN, [...left, '--seconds', String(ALONE_SECONDS)])];
    },
    bars: () => aloneBars(current(), names),
  },
  together('plain', 17),
  together('secure', 12),
];
