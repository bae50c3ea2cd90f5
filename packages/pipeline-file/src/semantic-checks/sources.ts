import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';

const SHORTHAND = ['datatype', 'shape', 'contentTypes'] as const;

/** Finds additional sources (one is supported), and tensors declared not fully or twice. */
export function checkSources(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  for (const [index, source] of wellFormedEntries(spec.sources)) {
    const path = ['spec', 'sources', index];
    if (index === 1)
      findings.push({
        path,
        message: `expected one source, found ${spec.sources?.length}; more are not supported yet`,
      });
    const given = SHORTHAND.filter((field) => Object.hasOwn(source, field));
    const [surplus] = given;
    if (surplus !== undefined && Object.hasOwn(source, 'tensors'))
      findings.push({ path: [...path, surplus], message: `expected either tensors or ${surplus}, found both` });
    else if (given.length > 0)
      for (const field of ['datatype', 'shape'] as const)
        if (!given.includes(field))
          findings.push({
            path: [...path, field],
            message: `missing field "${field}", expected it beside ${given.join(' and ')}`,
          });
  }
  return findings;
}
