import { compileCondition } from '../condition/compile-condition.js';
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';

const ROUNDING = 1e-9;

/** Checks that conditions of `when` are valid CEL, and that probabilities of one stage sum to at most 1. */
export function checkBranches(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  const sums = new Map<string, number>();
  for (const [index, { from, when }] of wellFormedEntries(spec.edges)) {
    if (when === undefined) continue;
    const path = ['spec', 'edges', index, 'when'];
    const compiled = when.condition === undefined ? undefined : compileCondition(when.condition);
    if (compiled?.kind === 'invalid')
      findings.push({ path: [...path, 'condition'], message: compiled.message, inside: compiled.offset });
    if (from === undefined || when.probability === undefined) continue;
    const sum = (sums.get(from) ?? 0) + when.probability;
    sums.set(from, sum);
    if (sum > 1 + ROUNDING && sum - when.probability <= 1 + ROUNDING) {
      const message = `expected probabilities of at most 1 together on the \`when\` edges that leave "${from}" (the first that holds is taken), found ${Number(sum.toPrecision(6))} up to here`;
      findings.push({ path: [...path, 'probability'], message });
    }
  }
  return findings;
}
