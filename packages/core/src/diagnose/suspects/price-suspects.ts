/**
 * Price of an answer of the loop: the SLO is met, because less accurate variants answered a rise of the load or a cut of the
 * budget. A rise counts only if it outran the plan; the loop keeps pace with slower ones, and that is its work.
 */
import { type CaseFile, meanIn } from '../case-file.js';
import type { Suspect } from '../incident-card.js';
import { FALSE_ALARM, poissonTail } from '../statistics.js';
import { type Span, secondsOf, sumIn } from '../symptoms.js';

/** A smaller step of the accuracy is no price worth a card. */
const LEAST_LOSS_FRACTION = 0.01;
/** A smaller cut of the budget binds rarely. */
const LEAST_CUT_FRACTION = 0.05;
/** A plan answers what happened in this time before it was applied. */
const LOOKED_BACK_S = 15;
/** Arrivals above the plan over this time outran it: it is as long as a window of the test for harm. */
const OUTRUN_S = 5;

interface Step {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/** Without harm only: harm explains itself. */
export function priceSuspects(file: CaseFile): readonly Suspect[] {
  return stepsDown(file).flatMap((step) => [...cutSuspects(file, step), ...riseSuspects(file, step)]);
}

/** Seconds in which a plan with a lower accuracy began. */
function stepsDown({ history, asked }: CaseFile): readonly Step[] {
  const accuracy = (at: number) => history.figure(at, 'accuracy');
  let last = Number.NaN;
  return secondsOf(asked).flatMap((at) => {
    const [before, after] = [last, accuracy(at)];
    // During a change, the accuracy is unknown.
    if (Number.isFinite(after)) last = after;
    return after < (1 - LEAST_LOSS_FRACTION) * before ? [{ at, before, after }] : [];
  });
}

const largest = (span: Span, figure: (second: number) => number): number =>
  Math.max(...secondsOf(span).map(figure).filter(Number.isFinite));

const spanBefore = ({ at }: Step): Span => ({ from: Math.max(0, at - LOOKED_BACK_S), to: at + 1 });

/** A cut counts if the plan before the step was larger than the new budget. */
function cutSuspects({ history }: CaseFile, step: Step): readonly Suspect[] {
  const most = largest({ from: 0, to: step.at + 1 }, (at) => history.figure(at, 'budgetCores'));
  const planned = largest(spanBefore(step), (at) => history.figure(at, 'plannedCores'));
  const now = history.figure(step.at, 'budgetCores');
  if (!(now < (1 - LEAST_CUT_FRACTION) * most) || planned <= now) return [];
  return [
    {
      cause: 'budget',
      score: Math.log(most / now),
      summary: `the budget was cut from ${most.toFixed(1)} to ${now.toFixed(1)} cores; the SLO is met, with less accurate variants`,
      evidence: [{ text: 'cores of the budget', measured: now, expected: most }, lossOf(step)],
    },
  ];
}

function riseSuspects(file: CaseFile, step: Step): readonly Suspect[] {
  const { history } = file;
  const { from, to } = spanBefore(step);
  const provisioned = history.figure(from, 'provisionedRps');
  const outran = secondsOf({ from, to: to - OUTRUN_S + 1 }).map((at) =>
    sumIn({ from: at, to: at + OUTRUN_S }, (second) => history.figure(second, 'arrived')),
  );
  const most = Math.max(0, ...outran);
  const chance = FALSE_ALARM / Math.max(1, file.asked.to - file.asked.from);
  if (!(provisioned > 0) || poissonTail(most, OUTRUN_S * provisioned) >= chance) return [];
  const usual = meanIn({ from: Math.max(0, from - LOOKED_BACK_S), to: from + 1 }, (at) =>
    history.figure(at, 'arrived'),
  );
  const rate = most / OUTRUN_S;
  return [
    {
      cause: 'overload',
      score: Math.log(rate / provisioned),
      summary: `the load rose from ${usual.toFixed(1)} to ${rate.toFixed(1)} rps, beyond the plan for ${provisioned.toFixed(1)} rps; the SLO is met, with less accurate variants`,
      evidence: [
        {
          text: 'arrivals per second, against the rate that the plan was made for',
          measured: rate,
          expected: provisioned,
        },
        lossOf(step),
      ],
    },
  ];
}

const lossOf = ({ before, after }: Step) => ({
  text: 'accuracy of the running plan, against that before',
  measured: after,
  expected: before,
});
