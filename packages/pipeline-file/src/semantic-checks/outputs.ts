import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';

/** Finds duplicate outputs, and `unless` that names no other output. */
export function checkOutputs(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  const entries = [...wellFormedEntries(spec.outputs)];
  const seen = new Map<string, number>();
  for (const [index, { from, unless }] of entries) {
    const earlier = from === undefined ? undefined : seen.get(from);
    if (earlier !== undefined) {
      const message = `expected each stage once among the outputs, found "${from}", which entry ${earlier} has; list its tensors there`;
      findings.push({ path: ['spec', 'outputs', index, 'from'], message });
    }
    if (from !== undefined && earlier === undefined) seen.set(from, index);
    const names = entries.some(([, other]) => other.from === unless && unless !== from);
    const isKnown = spec.stages?.some((stage) => stage?.name === unless) ?? false;
    if (unless !== undefined && isKnown && !names) {
      const message = `expected the stage of another output, found "${unless}"`;
      findings.push({ path: ['spec', 'outputs', index, 'unless'], message });
    }
  }
  return findings;
}
