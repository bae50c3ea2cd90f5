/** First measurement that left its usual range: that of the cause, or the first missed requests. */
import type { CaseFile } from './case-file.js';
import type { Signal, Suspect } from './incident-card.js';
import { secondsOf } from './symptoms.js';

const LOOKED_BACK_S = 30;
const SMOOTHED_S = 3;

interface Series {
  readonly text: string;
  readonly figure: (second: number) => number;
}

export function firstSignal(file: CaseFile, suspect: Suspect): Signal {
  const { episode, isHarmed } = file;
  // Without harm the episode is the whole window, which says nothing of when the cause began.
  if (!isHarmed && suspect.sinceEpochMs !== undefined)
    return {
      atEpochMs: suspect.sinceEpochMs,
      text: suspect.summary,
      ...(suspect.stageId !== undefined && { stageId: suspect.stageId }),
    };
  const stage = file.stageIds.map(String).indexOf(suspect.stageId ?? '');
  const found = seriesOf(file, suspect, stage).flatMap(({ text, figure }) => {
    const at = firstOutside(file, figure);
    return at === undefined ? [] : [{ at, text, ...(suspect.stageId !== undefined && { stageId: suspect.stageId }) }];
  });
  const harm = { at: episode.from, text: isHarmed ? 'requests miss the SLO' : suspect.summary };
  const { at, ...signal } = [...found, harm].reduce((first, each) => (each.at < first.at ? each : first));
  return { atEpochMs: file.epochMsOf(at), ...signal };
}

/** First second whose mean over 3 s is above all such means before the harm. */
function firstOutside({ before, episode }: CaseFile, figure: (second: number) => number): number | undefined {
  if (before === undefined) return undefined;
  const smoothed = (at: number) => (figure(at) + figure(at - 1) + figure(at - 2)) / SMOOTHED_S;
  const usual = secondsOf({ from: before.from + SMOOTHED_S - 1, to: before.to - LOOKED_BACK_S / 2 }).map(smoothed);
  const most = Math.max(0, ...usual.filter(Number.isFinite));
  return secondsOf({ from: Math.max(before.from + SMOOTHED_S, episode.from - LOOKED_BACK_S), to: episode.to }).find(
    (at) => smoothed(at) > most,
  );
}

function seriesOf({ history }: CaseFile, { cause, stageId }: Suspect, stage: number): readonly Series[] {
  const of = (field: 'queueLength' | 'failedItems') => (at: number) =>
    stage < 0 ? 0 : history.stageFigure(at, stage, field);
  const queue = { text: `the queue of stage ${stageId} grows`, figure: of('queueLength') };
  switch (cause) {
    case 'overload':
      return [{ text: 'the arrival rate leaves its range', figure: (at) => history.figure(at, 'arrived') }, queue];
    case 'stale-source':
      return [{ text: 'a source of metrics is stale', figure: (at) => history.figure(at, 'staleSignals') }];
    case 'failing-variant':
      return [{ text: `items of stage ${stageId} fail`, figure: of('failedItems') }];
    case 'slow-replica':
    case 'wrong-profile':
      return [
        {
          text: `batches of stage ${stageId} take longer`,
          figure: (at) =>
            ratio(history.stageFigure(at, stage, 'serviceMs'), history.stageFigure(at, stage, 'expectedMs')),
        },
        queue,
      ];
    case 'budget':
      return [{ text: 'the budget is smaller', figure: (at) => -history.figure(at, 'budgetCores') + 1e6 }, queue];
    case 'fan-out':
      return [
        {
          text: `more items per request reach stage ${stageId}`,
          figure: (at) => ratio(history.stageFigure(at, stage, 'arrived'), history.figure(at, 'arrived')),
        },
        queue,
      ];
    case 'client':
      return [{ text: 'clients spoil their requests', figure: (at) => history.figure(at, 'clientMissed') }];
    case 'unknown':
      return [queue];
  }
}

const ratio = (a: number, b: number): number => (b > 0 ? a / b : 0);
