import { type Bar, percent, quantile, told, zero } from './bar-rows.js';
import type { ChangesFigures } from './changes.js';
import type { OperatorsFigures } from './operators.js';
import type { PinnedChangesFigures } from './pinned-changes.js';
import type { RampFigures } from './ramp.js';
import type { ScaleFigures } from './scale.js';
import type { PlanningFigures } from './scale-planning.js';
import type { LoadFigures } from './staged-load.js';
import type { FollowFigures, SwitchFigures } from './theirs.js';
import { LIMIT_CPU_CORES } from './theirs-pipeline.js';

const MOST_QUIET_CORES = 0.05;
const MOST_APPLY_MS = 2_000;

export function changesBars(figures: ChangesFigures): readonly Bar[] {
  const { changes, changeS, sent, answered, dropped, failed, withinSlo, mostCpuCores, boundCpuCores } = figures;
  const kinds = Object.entries(changes).map(([kind, count]) => `${count} of ${kind}`);
  return [
    told('cluster', figures.cluster),
    told('changes', `${changeS.length}: ${kinds.join(', ')}`),
    told(
      'a change, from the decision to the end: median, longest',
      `${quantile(changeS, 0.5).toFixed(1)} s, ${quantile(changeS, 1).toFixed(1)} s`,
    ),
    told('requests', String(sent)),
    zero('failed requests', failed),
    zero('dropped requests', dropped),
    told('answered within the SLO of 1 s', percent(withinSlo / sent)),
    told(
      'latency: median, 99th percentile, longest',
      `${figures.medianMs.toFixed(0)} ms, ${figures.p99Ms.toFixed(0)} ms, ${figures.slowestMs.toFixed(0)} ms`,
    ),
    told('processes that were started for containers', String(figures.startedContainers)),
    told('of them ended unasked and were started again', String(figures.crashedContainers)),
    {
      claim: 'cores of the replicas at most, against budget and surge',
      figure: mostCpuCores.toFixed(1),
      bar: `≤ ${boundCpuCores.toFixed(1)}`,
      met: mostCpuCores <= boundCpuCores,
    },
    ...(answered + dropped + failed === sent
      ? []
      : [zero('requests that nobody knows of', sent - answered - dropped - failed)]),
  ];
}

export function scaleBars(figures: ScaleFigures): readonly Bar[] {
  const { quietCores, oneAtATimeMs, allAtOnceMs } = figures;
  const applied = (claim: string, valueMs: number): Bar => ({
    ...{ claim, figure: `${valueMs.toFixed(0)} ms`, bar: `≤ ${MOST_APPLY_MS} ms` },
    met: valueMs <= MOST_APPLY_MS,
  });
  return [
    told('pipelines × stages, Deployments', `${figures.pipelines} × ${figures.stages}, ${figures.deployments}`),
    told(
      'from nothing until all run; processor time of it',
      `${figures.startS.toFixed(1)} s; ${figures.startProcessorS.toFixed(1)} s`,
    ),
    {
      claim: `a core, while nothing changes for ${figures.quietS} s`,
      figure: percent(quietCores),
      bar: `≤ ${percent(MOST_QUIET_CORES)}`,
      met: quietCores <= MOST_QUIET_CORES,
    },
    told('resident memory', `${figures.residentMib.toFixed(0)} MiB`),
    applied(`one decision at a time: applied, 95th percentile of ${oneAtATimeMs.length}`, quantile(oneAtATimeMs, 0.95)),
    applied('one decision at a time: applied, slowest', quantile(oneAtATimeMs, 1)),
    applied(`all pipelines at once: applied, 95th percentile of ${allAtOnceMs.length}`, quantile(allAtOnceMs, 0.95)),
    applied('all pipelines at once: applied, slowest', quantile(allAtOnceMs, 1)),
    told('processor time of a decision, with all that follows', `${figures.decisionProcessorMs.toFixed(0)} ms`),
    told('calls that failed and were done again', String(figures.failures.length)),
  ];
}

export function planningBars(figures: PlanningFigures): readonly Bar[] {
  const { steadyCores, steadyPlanningCores, threads } = figures;
  return [
    told(
      'pipelines × stages, load of each',
      `${figures.pipelines} × ${figures.stages}, ${figures.arrivalRps} rps, Poisson`,
    ),
    told('from nothing until all run', `${figures.startS.toFixed(1)} s`),
    told(`a core, in the ${figures.settlingS} s from then on`, percent(figures.settlingCores)),
    {
      claim: `a core, under a steady load for the ${figures.steadyS} s behind`,
      figure: percent(steadyCores),
      bar: `≤ ${percent(MOST_QUIET_CORES)}`,
      met: steadyCores <= MOST_QUIET_CORES,
    },
    told(`of it, in ${threads} planning ${threads === 1 ? 'thread' : 'threads'}`, percent(steadyPlanningCores)),
    told('decisions meanwhile; those that changed a plan', `${figures.decisions}; ${figures.changes}`),
    told('resident memory', `${figures.residentMib.toFixed(0)} MiB`),
    told('what failed and was done again', String(figures.failures)),
  ];
}

export function operatorsBars(figures: OperatorsFigures): readonly Bar[] {
  const { each, appliedMs, waits, ledAgainMs, changedByKill } = figures;
  const most = Math.max(...each.map(({ cores }) => cores));
  const mostMib = Math.max(...each.map(({ residentMib }) => residentMib));
  const appliedP95 = quantile(appliedMs, 0.95);
  const ledAgain = Math.max(...ledAgainMs);
  const isKilled = ledAgainMs.length > 0;
  const second = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return [
    told(
      'pipelines × stages, load of each; operators, shards',
      `${figures.pipelines} × ${figures.stages}, ${figures.arrivalRps} rps, Poisson; ${figures.operators}, ${figures.shards}`,
    ),
    told('pipelines of each operator', each.map((one) => one.pipelines).join(', ')),
    told('from nothing until all run', `${figures.startS.toFixed(0)} s`),
    told(`a core, each operator, for ${figures.steadyS} s`, each.map(({ cores }) => percent(cores)).join(', ')),
    told('of it, in planning threads', each.map(({ planningCores }) => percent(planningCores)).join(', ')),
    {
      claim: 'a core, most of an operator',
      figure: percent(most),
      bar: `≤ ${percent(MOST_SHARD_CORES)}`,
      met: most <= MOST_SHARD_CORES,
    },
    {
      claim: 'resident memory, most of an operator',
      figure: `${mostMib.toFixed(0)} MiB`,
      bar: `≤ ${MOST_SHARD_MIB} MiB`,
      met: mostMib <= MOST_SHARD_MIB,
    },
    ...(appliedMs.length === 0
      ? []
      : [
          {
            claim: `decision to applied, 95th percentile of ${appliedMs.length}`,
            figure: second(appliedP95),
            bar: `≤ ${second(MOST_APPLIED_MS)}`,
            met: appliedP95 <= MOST_APPLIED_MS,
          },
        ]),
    ...(waits === undefined
      ? []
      : [
          told(
            'meanwhile, 95th percentiles of all pipelines: wait for a pass, pass, wait of a request for others',
            [waits.queueS, waits.passS, waits.requestWaitS].map((upToS) => `≤ ${upToS} s`).join(', '),
          ),
        ]),
    ...(isKilled
      ? [
          {
            claim: 'an operator killed: its shards led again, the last after',
            figure: second(ledAgain),
            bar: `≤ ${second(MOST_LED_AGAIN_MS)}`,
            met: ledAgain <= MOST_LED_AGAIN_MS,
          },
          zero('Deployments that changed in the minute after', changedByKill),
        ]
      : []),
    told('what failed and was done again', String(figures.failures)),
  ];
}

/** Bounds of one operator. */
export const MOST_SHARD_CORES = 0.15;
export const MOST_SHARD_MIB = 400;
const MOST_APPLIED_MS = 3_000;
const MOST_LED_AGAIN_MS = 20_000;
const LEAST_ATTAINMENT = 0.99;
const DECISION_S = 10;

function loadBars({ sloMs, sent, lost, withinSlo, p50Ms, p99Ms, slowestMs }: LoadFigures): readonly Bar[] {
  const attainment = withinSlo / sent;
  return [
    told('requests', String(sent)),
    zero('requests without a right answer', lost),
    {
      ...{ claim: `answered within the SLO of ${sloMs} ms`, figure: percent(attainment) },
      ...{ bar: `≥ ${percent(LEAST_ATTAINMENT)}`, met: attainment >= LEAST_ATTAINMENT },
    },
    told(
      'latency: median, 99th percentile, longest',
      [p50Ms, p99Ms, slowestMs].map((ms) => `${ms.toFixed(0)} ms`).join(', '),
    ),
  ];
}

const limitBar = (cores: number): Bar => ({
  ...{ claim: 'CPU limits of all pods at most', figure: `${cores.toFixed(1)} cores` },
  ...{ bar: `≤ ${LIMIT_CPU_CORES} cores`, met: cores <= LIMIT_CPU_CORES + 1e-9 },
});

export function followBars(figures: FollowFigures): readonly Bar[] {
  const { seconds, decisions, replicas, load } = figures;
  return [
    told('load', load),
    told('replicas of the stages at the end of each plateau', replicas.map((each) => each.join(' ')).join('; ')),
    {
      ...{ claim: `decisions in ${seconds.toFixed(0)} s`, figure: String(decisions) },
      ...{ bar: `one per ${DECISION_S} s`, met: decisions >= Math.floor(seconds / DECISION_S) },
    },
    ...loadBars(figures),
    limitBar(figures.mostLimitCpuCores),
  ];
}

export function rampBars(figures: RampFigures): readonly Bar[] {
  const { load, replicas } = figures;
  const [first, ...others] = replicas.map((each) => each.reduce((sum, count) => sum + count, 0));
  const [most, last] = others;
  const follows = first !== undefined && most !== undefined && most > first && last === first;
  return [
    told('load', load),
    {
      claim: 'pods of both stages at the end of each plateau',
      figure: replicas.map((each) => each.join(' ')).join('; '),
      ...{ bar: 'more, then as before', met: follows },
    },
    ...loadBars(figures),
  ];
}

export function pinnedChangesBars(figures: PinnedChangesFigures): readonly Bar[] {
  const { arrivalRps, sloMs, changeS, canaryS, rolledBackS, sent, lost, refused, withinSlo, p50Ms, p99Ms } = figures;
  const times = (all: readonly number[]): string =>
    `${all.length}: ${quantile(all, 0.5).toFixed(1)} s, ${quantile(all, 1).toFixed(1)} s`;
  return [
    told('load, SLO', `${arrivalRps} rps, Poisson, half over kept connections; ${sloMs} ms`),
    told('changes of replicas and batch size: median, longest', times(changeS)),
    told('canaries of good variants: median, longest', times(canaryS)),
    told('a variant that fails in pods, until it is rolled back', `${rolledBackS.toFixed(1)} s`),
    told('requests; latency: median, 99th percentile', `${sent}; ${p50Ms?.toFixed(0)} ms, ${p99Ms?.toFixed(0)} ms`),
    zero('lost requests', lost),
    zero('refused requests', refused),
    {
      ...{ claim: `answered within the SLO of ${sloMs} ms`, figure: percent(withinSlo / sent) },
      ...{ bar: `≥ ${percent(LEAST_ATTAINMENT)}`, met: withinSlo / sent >= LEAST_ATTAINMENT },
    },
  ];
}

export function switchBars(figures: SwitchFigures): readonly Bar[] {
  const { changes, canaries, roundS } = figures;
  const [shortest, longest] = [quantile(roundS, 0), quantile(roundS, 1)];
  return [
    told('changes of variant, those by canary steps', `${changes}, ${canaries}`),
    told(
      'a round of three changes, until the old variants are gone: shortest, longest',
      `${shortest.toFixed(0)} s, ${longest.toFixed(0)} s`,
    ),
    ...loadBars(figures),
    limitBar(figures.mostLimitCpuCores),
  ];
}
