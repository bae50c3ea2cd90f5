/**
 * Behind early joins over several edges, and in cascades, accuracy is not the product of the stages' accuracies: it
 * must be measured.
 */
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';

/** Finds pipelines of unknown accuracy: an error if it cannot be measured, else a warning until it has been. */
export function checkJointAccuracy(spec: SpecDraft): Finding[] {
  if (Object.hasOwn(spec, 'accuracyTable')) return [];
  const place = earlyJoin(spec) ?? cascade(spec);
  if (place === undefined) return [];
  const where = `the accuracy ${place.where} is not the product of those of the stages`;
  if (Object.hasOwn(spec, 'evaluation')) {
    const message = `${where}: measure it with \`equipoise evaluate\` before planning`;
    return [{ path: place.path, message, severity: 'warning' }];
  }
  const message = `${where}: expected an accuracyTable with measured combinations, or an evaluation to measure them with`;
  return [{ path: place.path, message }];
}

interface Place {
  readonly path: Finding['path'];
  readonly where: string;
}

function earlyJoin(spec: SpecDraft): Place | undefined {
  const edges = [...wellFormedEntries(spec.edges)];
  const found = edges.find(
    ([, { to, join }]) =>
      join !== undefined && join !== 'all' && edges.filter(([, other]) => other.to === to).length > 1,
  );
  return found && { path: ['spec', 'edges', found[0], 'join'], where: 'behind a join that waits for some edges only' };
}

function cascade(spec: SpecDraft): Place | undefined {
  const found = [...wellFormedEntries(spec.outputs)].find(([, { unless }]) => unless !== undefined);
  return found && { path: ['spec', 'outputs', found[0], 'unless'], where: 'of a cascade' };
}
