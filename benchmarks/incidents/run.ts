/**
 * `npm run bench:incidents [-- FOLDER] [--seed-from TEXT]`: simulates the incidents of this folder (or of another one),
 * diagnoses them, and compares cause and stage with what the incident states. `--seed-from` replaces their seeds. Exit
 * code 1 if more than one in twelve is wrong.
 */
import { parseArgs } from 'node:util';
import { diagnose } from '../../packages/core/src/diagnose/diagnose.js';
import { simulateIncident } from '../../packages/core/src/diagnose/simulated-incident.test-support.js';
import { isRight, MOST_WRONG_FRACTION, seeded } from './answers.js';
import { readIncidents } from './read-incidents.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'seed-from': { type: 'string' } } });
const found = await readIncidents(positionals[0]);
let wrong = 0;
for (const { incident: written, spec } of found) {
  const incident = seeded(written, values['seed-from']);
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
