/** Clients that disconnect early, leave less time than the SLO, or send invalid inputs. */
import type { CaseFile } from '../case-file.js';
import type { Suspect } from '../incident-card.js';
import { sumIn } from '../symptoms.js';

/** Only if the SLO is met without the requests that their clients spoiled. */
export function clientSuspects(file: CaseFile): readonly Suspect[] {
  const { history, episode, isHarmed, isHarmedWithoutClients } = file;
  if (!isHarmed || isHarmedWithoutClients) return [];
  const sum = (field: 'clientMissed' | 'cancelled' | 'hasty') => sumIn(episode, (at) => history.figure(at, field));
  const missed = sumIn(episode, (at) => history.missed(at));
  const ended = sumIn(episode, (at) => history.ended(at));
  const [spoiled, cancelled, hasty] = [sum('clientMissed'), sum('cancelled'), sum('hasty')];
  const what =
    cancelled >= spoiled / 2
      ? 'clients disconnect before the SLO is over'
      : hasty >= spoiled / 2
        ? 'clients leave less time than the SLO'
        : 'clients send inputs that stages reject';
  return [
    {
      cause: 'client',
      score: Number.POSITIVE_INFINITY,
      summary: `${what}; all other requests meet the SLO`,
      evidence: [
        {
          text: 'missed requests whose client caused it ÷ all missed requests',
          measured: spoiled / Math.max(1, missed),
        },
        {
          text: 'other missed requests ÷ all other requests',
          measured: (missed - spoiled) / Math.max(1, ended - spoiled),
          expected: file.allowedFraction,
        },
        { text: 'requests whose client left less time than the SLO', measured: hasty, expected: 0 },
        { text: 'requests whose client disconnected', measured: cancelled, expected: 0 },
      ],
    },
  ];
}
