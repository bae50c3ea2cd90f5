import { type Bar, percent, quantile, told, zero } from './bar-rows.js';
import type { DrainFigures } from './drain.js';
import type { NamedFaultsFigures } from './named-faults.js';
import type { RouterCpuFigures, TurnFigures } from './router-cpu.js';
import type { SplitFigures } from './router-split.js';
import type { FaultFigures, FaultsFigures } from './routers.js';
import type { StartFigures } from './start-time.js';

const MOST_REFUSED = 0.001;
const MOST_CPU_RATIO = 1.1;
const LEAST_THROUGHPUT_RATIO = 1.8;
const LEAST_ATTAINMENT = 0.99;
const MOST_NAMED_S = 15;

const latency = (ms: number | null): string => (ms === null ? 'none' : `${ms.toFixed(0)} ms`);

const refusedBar = (claim: string, refused: number, sent: number): Bar => ({
  ...{ claim, figure: `${refused} of ${sent} (${percent(refused / sent)})`, bar: `≤ ${percent(MOST_REFUSED)}` },
  met: refused / sent <= MOST_REFUSED,
});

export function faultsBars({ arrivalRps, sloMs, sent, p50Ms, p99Ms, faults }: FaultsFigures): readonly Bar[] {
  return [
    told('load, SLO', `${arrivalRps} rps, Poisson, half over kept connections; ${sloMs} ms`),
    told('requests; latency: median, 99th percentile', `${sent}; ${latency(p50Ms)}, ${latency(p99Ms)}`),
    ...faults.flatMap(faultBars),
  ];
}

function faultBars({ fault, rounds, sent, lost, refused, p99Ms, roundS }: FaultFigures): readonly Bar[] {
  const name = `${fault}, ${rounds} times`;
  return [
    zero(`${name}: lost requests`, lost),
    refusedBar(`${name}: refused requests`, refused, sent),
    told(
      `${name}: longest round; 99th percentile of the latency`,
      `${quantile(roundS, 1).toFixed(0)} s; ${latency(p99Ms)}`,
    ),
  ];
}

export function namedFaultsBars(figures: NamedFaultsFigures): readonly Bar[] {
  const { arrivalRps, sloMs, sent, p50Ms, p99Ms, faults, namedS, pressureS, evictedS } = figures;
  return [
    told('load, SLO', `${arrivalRps} rps, Poisson, half over kept connections; ${sloMs} ms`),
    told('requests; latency: median, 99th percentile', `${sent}; ${latency(p50Ms)}, ${latency(p99Ms)}`),
    told(
      'restart of the kubelet with a higher threshold, until the node reports its pressure: longest',
      `${quantile(pressureS, 1).toFixed(1)} s`,
    ),
    ...(evictedS === undefined
      ? []
      : [told('from this report, until the status also names an evicted pod: median, longest', namedTimes(evictedS))]),
    ...faults.flatMap((fault) => namedFaultBars(fault, namedS[fault.fault] ?? [])),
  ];
}

const inSeconds = (namedS: readonly (number | null)[]): readonly number[] =>
  namedS.map((seconds) => seconds ?? Number.POSITIVE_INFINITY);

const namedTimes = (namedS: readonly (number | null)[]): string =>
  [0.5, 1].map((q) => `${quantile(inSeconds(namedS), q).toFixed(1)} s`).join(', ');

function namedFaultBars(figures: FaultFigures, namedS: readonly (number | null)[]): readonly Bar[] {
  const { fault, rounds, sent, lost, refused, roundS } = figures;
  const name = `${fault}, ${rounds} times`;
  const most = quantile(inSeconds(namedS), 1);
  return [
    {
      claim: `${name}: until the status names it: median, longest`,
      figure: namedTimes(namedS),
      ...{ bar: `≤ ${MOST_NAMED_S} s`, met: most <= MOST_NAMED_S },
    },
    zero(`${name}: lost requests`, lost),
    told(`${name}: refused requests`, `${refused} of ${sent} (${percent(refused / sent)})`),
    told(
      `${name}: until the pipeline is Ready again, with its cause gone: longest`,
      `${quantile(roundS, 1).toFixed(0)} s`,
    ),
  ];
}

export const drainBars = ({ startS, drainS, fewestReady, refusedEvictions }: DrainFigures): readonly Bar[] => [
  {
    ...{ claim: `kubectl drain of a node with both routers, where a new pod is ready after ${startS} s: time` },
    ...{ figure: `${drainS.toFixed(1)} s`, bar: `≥ ${startS} s`, met: drainS >= startS },
  },
  {
    ...{ claim: 'of it: fewest ready routers', figure: String(fewestReady), bar: '≥ 1', met: fewestReady >= 1 },
  },
  {
    ...{ claim: 'of it: evictions that the budget refused', figure: String(refusedEvictions) },
    ...{ bar: '≥ 1', met: refusedEvictions >= 1 },
  },
];

export function routerCpuBars({ arrivalRps, turnS, idleCores, turns }: RouterCpuFigures): readonly Bar[] {
  const of = (routers: number): readonly TurnFigures[] => turns.filter((turn) => turn.routers === routers);
  const median = (routers: number, value: (turn: TurnFigures) => number): number =>
    quantile(of(routers).map(value), 0.5);
  const cpu = (routers: number): number => median(routers, ({ cpuMsPerRequest }) => cpuMsPerRequest);
  const ratio = cpu(2) / cpu(1);
  return [
    told('load', `${arrivalRps} rps, Poisson, in turns of ${turnS} s: ${of(1).length} each`),
    ...[1, 2].map((routers) =>
      told(
        `CPU time of the routers per request, ${routers} of them: median (least to most)`,
        `${cpu(routers).toFixed(2)} ms (${[0, 1]
          .map((q) =>
            quantile(
              of(routers).map((turn) => turn.cpuMsPerRequest),
              q,
            ).toFixed(2),
          )
          .join(' to ')})`,
      ),
    ),
    {
      ...{ claim: 'two routers against one', figure: ratio.toFixed(3), bar: `≤ ${MOST_CPU_RATIO}` },
      met: ratio <= MOST_CPU_RATIO,
    },
    told('CPU of a router without requests', `${(1000 * idleCores).toFixed(0)}m`),
    told('of two routers, share of the one with more CPU time', percent(median(2, ({ mostFraction }) => mostFraction))),
    ...[1, 2].map((routers) =>
      told(
        `latency with ${routers}: median, 99th percentile (medians of the turns)`,
        [median(routers, ({ p50Ms }) => p50Ms), median(routers, ({ p99Ms }) => p99Ms)]
          .map((ms) => `${ms.toFixed(1)} ms`)
          .join(', '),
      ),
    ),
    zero(
      'lost and refused requests',
      turns.reduce((sum, { lost, refused }) => sum + lost + refused, 0),
    ),
  ];
}

export function splitBars({ plans, throughput }: SplitFigures): readonly Bar[] {
  return [
    ...plans.map(({ load, routers, shares, replicas, sloMs, p99Ms, attainment, fewestAttainment }) => ({
      claim: `${load}, ${routers} routers, ${replicas} replicas, shares ${shares}: p99; within ${sloMs} ms, all and worst router`,
      figure: `${p99Ms.toFixed(0)} ms; ${percent(attainment)}, ${percent(fewestAttainment)}`,
      ...{ bar: `p99 ≤ ${sloMs} ms`, met: p99Ms <= sloMs && attainment >= LEAST_ATTAINMENT },
    })),
    ...throughput.map(({ connections, seeds, mean, least }) => ({
      claim: `throughput of two routers against one, ${connections} connections at random: mean (least) of ${seeds} seeds`,
      figure: `${mean.toFixed(2)} (${least.toFixed(2)})`,
      ...{ bar: `≥ ${LEAST_THROUGHPUT_RATIO}`, met: mean >= LEAST_THROUGHPUT_RATIO },
    })),
  ];
}

const MOST_START_MS = 3_000;

export function startBars({ cpuLimit, readyMs }: StartFigures): readonly Bar[] {
  const [median, most] = [0.5, 1].map((fraction) => quantile(readyMs, fraction));
  return [
    {
      claim: `start of the process to ready, CPU limit ${cpuLimit}: median (most) of ${readyMs.length}`,
      figure: `${((median ?? 0) / 1000).toFixed(2)} s (${((most ?? 0) / 1000).toFixed(2)} s)`,
      ...{ bar: `≤ ${MOST_START_MS / 1000} s`, met: (most ?? 0) <= MOST_START_MS },
    },
  ];
}
