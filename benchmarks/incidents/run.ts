/**
 * `npm run bench:incidents [FOLDER]`: simulates the incidents of this folder (or of another one), diagnoses them, and
 * compares cause and stage with what the incident states. Exit code 1 if more than one in twelve is wrong.
 */
import { diagnose } from '../../packages/core/src/diagnose/diagnose.js';
import type { IncidentCard } from '../../packages/core/src/diagnose/incident-card.js';
import { type Incident, simulateIncident } from '../../packages/core/src/diagnose/simulated-incident.test-support.js';
import { readIncidents } from './read-incidents.js';

const MOST_WRONG_FRACTION = 1 / 12;

function isRight({ expect: { cause, stages } }: Incident, card: IncidentCard): boolean {
  if (card.verdict !== 'incident') return cause === card.verdict;
  return card.cause === cause && (stages === undefined || stages.some((stage) => stage === card.stageId));
}

const found = await readIncidents(process.argv[2]);
let wrong = 0;
for (const { incident, spec } of found) {
  const input = simulateIncident(incident, spec);
  const startedAtMs = performance.now();
  const card = diagnose(input);
  const tookMs = performance.now() - startedAtMs;
  const answer = card.verdict === 'incident' ? `${card.cause} ${card.stageId ?? ''}` : card.verdict;
  const right = isRight(incident, card);
  if (!right) wrong += 1;
  const { cause, stages = [] } = incident.expect;
  process.stdout.write(
    `${right ? 'right' : 'WRONG'}  ${incident.name}: ${answer} (expected ${cause} ${stages.join(' or ')}; ${tookMs.toFixed(0)} ms)\n`,
  );
}
process.stdout.write(`${found.length - wrong} of ${found.length} right\n`);
process.exit(wrong > MOST_WRONG_FRACTION * found.length ? 1 : 0);
