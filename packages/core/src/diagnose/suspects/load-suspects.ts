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
  const rises = riseSuspects(file, stage);
  const others = [...rises, ...edgeSuspects(file), ...capacitySuspects(file, stage)];
  return rises.length > 0 ? others : [...others, ...standingSuspects(file, stage)];
}

function riseSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const found = plainestRate(file, file.before === undefined ? againstPlan(file) : againstBefore(file, file.before));
  if (found === undefined || !isBeyondPlan(file, stage)) return [];
  return [overload(file, stage, { ...found, score: found.change.value, isAgainstPlan: file.before === undefined })];
}

/**
 * A load that was beyond the plan already in the time before, because queues grow slowly. The same load did no harm then,
 * so it explains what nothing else does.
 */
function standingSuspects(file: CaseFile, stage: number): readonly Suspect[] {
  const { before, history, episode, extent, isCertain } = file;
  if (before === undefined || !isCertain || !isBeyondPlan(file, stage)) return [];
  const items = meanIn(episode, (at) => history.stageFigure(at, stage, 'arrived'));
  const until = secondsOf({ from: before.from, to: extent.from + 1 });
  // While its replicas start, a newer plan carries nothing.
  const isCarried = !until.every((at) => history.stageFigure(at, stage, 'capacityRps') < items);
  const found = plainestRate(file, againstPlan(file, isCarried ? undefined : before.from));
  return found === undefined ? [] : [overload(file, stage, { ...found, score: LEAST_CHANGE, isAgainstPlan: true })];
}

/** The overload, or the source of metrics whose staleness kept the loop from an answer. */
function overload(
  file: CaseFile,
  stage: number,
  { change, rate, score, isAgainstPlan }: RateChange & { readonly score: number; readonly isAgainstPlan: boolean },
): Suspect {
  const { history, episode, extent } = file;
  const usual = rate / Math.exp(change.value);
  const isStale =
    sumIn({ from: Math.max(0, extent.from - 10), to: extent.to }, (at) =>
      Number(history.figure(at, 'staleSignals') > 0),
    ) > 0;
  const stageId = file.stageIds[stage];
  const [now, then] = [rate.toFixed(1), usual.toFixed(1)];
  const [reference, what] = isAgainstPlan
    ? ['the rate that the plan was made for', `${now} rps arrive, more than the ${then} rps that the plan was made for`]
    : ['the time before', `the load rose from ${then} to ${now} rps`];
  const rise = {
    text: `arrivals per second, against ${reference}`,
    measured: rate,
    expected: usual,
    low: usual * Math.exp(change.low),
    high: usual * Math.exp(change.high),
  };
  if (isStale)
    return {
      cause: 'stale-source',
      score,
      summary: `the control loop got no fresh metrics while ${what}`,
      evidence: [
        rise,
        {
          text: 'seconds of the incident with a stale source of metrics',
          measured: sumIn(episode, (at) => Number(history.figure(at, 'staleSignals') > 0)),
          expected: 0,
        },
      ],
    };
  return {
    cause: 'overload',
    stageId,
    score,
    summary: isAgainstPlan ? what : `${what}, more than the running plan carries`,
    evidence: [rise, capacityEvidence(file, stage)],
  };
}

/** `rate`: mean arrivals per second. */
interface RateChange {
  readonly change: Interval;
  readonly rate: number;
}

type Compare = (span: Span, alpha: number) => readonly (Interval | undefined)[];

/** The plainest change in the worst part and in all of the harm, if it is plain enough. */
function plainestRate(file: CaseFile, compare: Compare): RateChange | undefined {
  const { history, episode, extent, before, harmSpans } = file;
  const worst = before === undefined ? episode : peakOf(file);
  const found = (harmSpans.length === 1 ? [worst] : [worst, extent]).flatMap((span) => {
    const rate = meanIn(span, (at) => history.figure(at, 'arrived'));
    return compare(span, file.alpha / harmSpans.length).flatMap((change) => (change ? [{ change, rate }] : []));
  });
  const [plainest] = found.toSorted((a, b) => b.change.low - a.change.low);
  return plainest !== undefined && plainest.change.low > LEAST_CHANGE ? plainest : undefined;
}

/** Arrivals of neighboring seconds are nearly independent, so each second counts. */
const arrivedIn = ({ history }: CaseFile, span: Span): Pairs =>
  secondsOf(span).map((at) => [history.figure(at, 'arrived'), 1] as const);

function againstBefore(file: CaseFile, before: Span): Compare {
  const arrivals = (at: number): number => file.history.figure(at, 'arrived');
  return (span, alpha) => [
    logChange(arrivedIn(file, span), arrivedIn(file, before), alpha / 2),
    logChangeOfCount(
      [sumIn(span, arrivals), span.to - span.from],
      file.pairs(before, arrivals, () => 1),
      alpha / 2,
    ),
  ];
}

function againstPlan(file: CaseFile, from?: number): Compare {
  const planned = plannedRps(file, from);
  return (span, alpha) => [planned === undefined ? undefined : logChangeFrom(planned, arrivedIn(file, span), alpha)];
}

/**
 * A rise is no overload if the plan was made for it: after an idle time, for example. True if more requests arrive than
 * the plan before the onset was made for, or more items than the ready replicas can serve by the profile.
 */
function isBeyondPlan(file: CaseFile, stage: number): boolean {
  const { history, episode, extent } = file;
  const planned = plannedRps(file);
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

/**
 * Smallest rate that a plan since `from` was made for. The loop may have answered mild harm before its worst part, so the
 * onset is that of all the harm.
 */
function plannedRps(file: CaseFile, from = file.extent.from - PLANNED_BEFORE_S): number | undefined {
  const { history, extent, input } = file;
  const lately = secondsOf({ from: Math.max(0, from), to: extent.from + 1 });
  const rates = lately.map((at) => history.figure(at, 'provisionedRps')).filter(Number.isFinite);
  if (rates.length > 0) return Math.min(...rates);
  const [first] = input.decisions;
  const { load, forecast } = first?.decision.evidence ?? {};
  return load?.arrivalRps ?? forecast?.upperRps;
}

/** From the onset on, at least five seconds. */
const peakOf = ({ history, episode }: CaseFile): Span => ({
  from: episode.from,
  to: Math.min(history.length, Math.max(episode.from + 5, episode.to)),
});

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
