/** Comparison of a card with what its incident states, and fresh seeds. */
import { createHash } from 'node:crypto';
import type { IncidentCard } from '../../packages/core/src/diagnose/incident-card.js';
import type { Incident } from '../../packages/core/src/diagnose/simulated-incident.test-support.js';

export const MOST_WRONG_FRACTION = 1 / 12;

export function isRight({ expect: { cause, stages } }: Incident, card: IncidentCard): boolean {
  if (card.verdict !== 'incident') return cause === card.verdict;
  return card.cause === cause && (stages === undefined || stages.some((stage) => stage === card.stageId));
}

/** The incident with a seed from a text: the first four bytes of the SHA-256 of `TEXT NAME`, modulo one million. */
export function seeded(incident: Incident, text: string | undefined): Incident {
  if (text === undefined) return incident;
  const digest = createHash('sha256').update(`${text} ${incident.name}`).digest();
  return { ...incident, seed: digest.readUInt32BE(0) % 1_000_000 };
}
