/** More work than before: requests, items per request, or less capacity for them. */
import { stageLoads } from '../../estimate/stage-load.js';
import type { EdgeSpec } from '../../model/pipeline-spec.js';
import { edgesOfPlan } from '../../model/resolved-spec.js';
import { type CaseFile, meanIn } from '../case-file.js';
import type { Suspect } from '../incident-card.js';
import { specWithEdges } from '../measured-spec.js';
import { stagesAtOnset } from '../stages-at-onset.js';
import { type Interval, logChange, logChangeFrom, logChangeOfCount, type Pairs, poissonTail } from '../statistics.js';
import { type Span, secondsOf, sumIn } from '../symptoms.js';
import { times } from './service-suspects.js';

/** Below this change, neither load nor capacity explains harm. */
const LEAST_CHANGE = Math.log(1.05);
/** A plan that answers the rise may be decided before the harm begins. */
const PLANNED_BEFORE_S = 15;
/** A rise is compared with the plan over its peak and over this time. */
const LASTING_S = 60;

export function loadSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  return [...rateSuspects(file, stage), ...edgeSuspects(file), ...capacitySuspects(file, stage)];
}

function rateSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const { history, episode, extent, before } = file;
  const plainest = rateChange(file);
  if (plainest === undefined || plainest.change.low <= LEAST_CHANGE || !isBeyondPlan(file, stage)) return [];
  const { change, rate } = plainest;
  const usual = rate / Math.exp(change.value);
  const isStale =
    sumIn({ from: Math.max(0, extent.from - 10), to: extent.to }, (at) =>
      Number(history.figure(at, 'staleSignals') > 0),
    ) > 0;
  const stageId = file.stageIds[stage];
  const rise = {
    text:
      before === undefined
        ? 'arrivals per second, against the rate that the plan was made for'
        : 'arrivals per second, against the time before',
    measured: rate,
    expected: usual,
    low: usual * Math.exp(change.low),
    high: usual * Math.exp(change.high),
  };
  if (isStale)
    return [
      {
        cause: 'stale-source',
        score: change.value,
        summary: `the control loop got no fresh metrics while the load rose from ${usual.toFixed(1)} to ${rate.toFixed(1)} rps`,
        evidence: [
          rise,
          {
            text: 'seconds of the incident with a stale source of metrics',
            measured: sumIn(episode, (at) => Number(history.figure(at, 'staleSignals') > 0)),
            expected: 0,
          },
        ],
      },
    ];
  return [
    {
      cause: 'overload',
      stageId,
      score: change.value,
      summary: `the load rose from ${usual.toFixed(1)} to ${rate.toFixed(1)} rps, more than the running plan carries`,
      evidence: [rise, capacityEvidence(file, stage)],
    },
  ];
}

/** `rate`: mean arrivals per second. */
interface RateChange {
  readonly change: Interval;
  readonly rate: number;
}

/** The plainest change in the worst part and in all of the harm, against the time before or else against the plan. */
function rateChange(file: CaseFile): RateChange | undefined {
  const { history, episode, extent, before, harmSpans } = file;
  const arrivals = (at: number): number => history.figure(at, 'arrived');
  // Arrivals of neighboring seconds are nearly independent, so each second counts.
  const arrived = (span: Span): Pairs => secondsOf(span).map((at) => [arrivals(at), 1] as const);
  const provisioned = provisionedRps(file);
  const alpha = file.alpha / harmSpans.length;
  const worst = before === undefined ? episode : peakOf(file);
  const changes = (harmSpans.length === 1 ? [worst] : [worst, extent]).flatMap((span): readonly RateChange[] => {
    const found =
      before !== undefined
        ? [
            logChange(arrived(span), arrived(before), alpha / 2),
            logChangeOfCount(
              [sumIn(span, arrivals), span.to - span.from],
              file.pairs(before, arrivals, () => 1),
              alpha / 2,
            ),
          ]
        : [provisioned && logChangeFrom(provisioned, arrived(span), alpha)];
    return found.flatMap((change) => (change ? [{ change, rate: meanIn(span, arrivals) }] : []));
  });
  return changes.toSorted((a, b) => b.change.low - a.change.low)[0];
}

/**
 * A rise is no overload if the plan was made for it: after an idle time, for example. True if more requests arrive than
 * the plan before the onset was made for, or more items than the ready replicas can serve by the profile.
 */
function isBeyondPlan(file: CaseFile, stage: number): boolean {
  const { history, episode, extent } = file;
  // The loop may have answered mild harm before its worst part.
  const { from } = extent;
  const lately = secondsOf({ from: Math.max(0, from - PLANNED_BEFORE_S), to: from + 1 });
  const rates = lately.map((at) => history.figure(at, 'provisionedRps')).filter(Number.isFinite);
  const planned = rates.length === 0 ? provisionedRps(file) : Math.min(...rates);
  if (planned === undefined) return true;
  const isMore = (span: Span) =>
    poissonTail(
      sumIn(span, (at) => history.figure(at, 'arrived')),
      planned * (span.to - span.from),
    ) <
    file.alpha / 3;
  // A small excess does harm now and then as long as it lasts, so the worst part alone may not show it.
  const lasting = [episode, extent].map((span) => ({
    from: span.from,
    to: Math.min(file.asked.to, span.from + LASTING_S),
  }));
  if ([peakOf(file), ...lasting].some(isMore)) return true;
  const items = meanIn(episode, (at) => history.stageFigure(at, stage, 'arrived'));
  return items > meanIn(episode, (at) => history.stageFigure(at, stage, 'capacityRps'));
}

/** From the onset on, at least five seconds. */
const peakOf = ({ history, episode }: CaseFile): Span => ({
  from: episode.from,
  to: Math.min(history.length, Math.max(episode.from + 5, episode.to)),
});

function provisionedRps({ history, extent, ...file }: CaseFile): number | undefined {
  const atOnset = history.figure(extent.from, 'provisionedRps');
  if (Number.isFinite(atOnset)) return atOnset;
  const [first] = file.input.decisions;
  const { load, forecast } = first?.decision.evidence ?? {};
  return load?.arrivalRps ?? forecast?.upperRps;
}

function capacityEvidence(file: CaseFile, stage: number) {
  const { history, episode } = file;
  return {
    text: `items per second that reached stage ${file.stageIds[stage]}, against the profiled capacity of its ready replicas`,
    measured: meanIn(episode, (at) => history.stageFigure(at, stage, 'arrived')),
    expected: meanIn(episode, (at) => history.stageFigure(at, stage, 'capacityRps')),
  };
}

/** Edges whose fan-out or share grew, each at the stage behind it whose load grew most. */
function edgeSuspects(file: CaseFile): readonly Suspect[] {
  const stated = edgesOfPlan(file.input.spec, stagesAtOnset(file));
  const spec = { ...file.input.spec, edges: stated };
  return stated.flatMap((edge, index) => {
    const grown = grownEdge(file, edge, index);
    if (grown === undefined || grown.change.low <= LEAST_CHANGE) return [];
    const visitsOf = (value: number) => stageLoads(specWithEdges(spec, new Map([[index, value]])), 1);
    const [now, then] = [visitsOf(grown.now), visitsOf(grown.then)];
    const score = Math.log((now.get(edge.to)?.visits ?? 0) / (then.get(edge.to)?.visits ?? 1));
    if (!(score > LEAST_CHANGE)) return [];
    const what = edge.fanOut === undefined ? 'is taken by' : 'gives';
    const unit = edge.fanOut === undefined ? ' of the outputs' : ' items per output';
    return [
      {
        cause: 'fan-out' as const,
        stageId: edge.to,
        score,
        summary: `the edge from ${edge.from} to ${edge.to} ${what} ${grown.now.toPrecision(3)}${unit}, not ${grown.then.toPrecision(3)}: ${times(Math.exp(score))} the items for stage ${edge.to}`,
        evidence: [
          {
            text:
              edge.fanOut === undefined
                ? `share of the edge ${edge.from} → ${edge.to}`
                : `items per output of ${edge.from}`,
            measured: grown.now,
            expected: grown.then,
            low: grown.then * Math.exp(grown.change.low),
            high: grown.then * Math.exp(grown.change.high),
          },
        ],
      },
    ];
  });
}

interface GrownEdge {
  readonly change: Interval;
  readonly now: number;
  readonly then: number;
}

/** `edge`: with the share of the plan that ran. */
function grownEdge(file: CaseFile, edge: EdgeSpec, index: number): GrownEdge | undefined {
  const { history, before, harmSpans, input } = file;
  const [y, x, stated] =
    edge.fanOut !== undefined
      ? (['items', 'fanOuts', edge.fanOut.expected] as const)
      : (['taken', 'offered', edge.when?.probability] as const);
  if (stated === undefined || !(stated > 0)) return undefined;
  const pairs = (span: Span): Pairs =>
    file.pairs(
      span,
      (at) => history.edgeFigure(at, index, y),
      (at) => history.edgeFigure(at, index, x),
    );
  const alpha = file.alpha / input.spec.edges.length / harmSpans.length;
  const ratioOf = (of: Pairs) =>
    of.reduce((sum, [each]) => sum + each, 0) / of.reduce((sum, [, each]) => sum + each, 0);
  const earlier = before && pairs(before);
  const then = earlier === undefined ? stated : ratioOf(earlier);
  if (!(then > 0)) return undefined;
  const grown = harmSpans.flatMap((span) => {
    const during = pairs(span);
    const change = earlier === undefined ? logChangeFrom(stated, during, alpha) : logChange(during, earlier, alpha);
    return change === undefined ? [] : [{ change, now: ratioOf(during), then }];
  });
  return grown.toSorted((a, b) => b.change.low - a.change.low)[0];
}

/** Less capacity than before the harm, or a plan that the budget keeps too small. */
function capacitySuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const { history, episode, before } = file;
  const stageId = file.stageIds[stage];
  const budgetOf = (span: Span) => meanIn(span, (at) => history.figure(at, 'budgetCores'));
  const capacity = (span: Span) =>
    file.pairs(
      span,
      (at) => history.stageFigure(at, stage, 'capacityRps'),
      () => 1,
    );
  const lost = before && logChange(capacity(episode), capacity(before), file.alpha);
  const [budget, earlier] = [budgetOf(episode), before === undefined ? Number.NaN : budgetOf(before)];
  const isCut = budget < 0.99 * earlier;
  const shrunk = lost === undefined ? 0 : Math.max(0, -lost.value);
  const binding = file.decided(episode, (decision) => {
    const { result } = decision.evidence;
    return result === undefined ? undefined : result.kind === 'feasible' ? 'none' : result.bindingConstraint;
  });
  const isBound = binding === 'budget' || binding === 'several-limits' || binding === 'capacity';
  if (!isCut && !isBound) return [];
  const planned = meanIn(episode, (at) => history.figure(at, 'plannedCores'));
  return [
    {
      cause: 'budget',
      // A budget that was always too small explains what nothing else does.
      score: isCut ? Math.max(shrunk, Math.log(earlier / budget)) : LEAST_CHANGE,
      summary: isCut
        ? `the budget was cut from ${earlier.toFixed(1)} to ${budget.toFixed(1)} cores`
        : `no plan within the budget of ${budget.toFixed(1)} cores carries the load`,
      evidence: [
        { text: 'cores of the budget', measured: budget, expected: Number.isFinite(earlier) ? earlier : undefined },
        { text: 'cores of the running plan', measured: planned },
        ...(stageId === undefined ? [] : [capacityEvidence(file, stage)]),
      ],
    },
  ];
}
