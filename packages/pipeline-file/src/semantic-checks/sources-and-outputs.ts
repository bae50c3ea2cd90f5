import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding } from '../problem.js';

type OutputDraft = NonNullable<NonNullable<SpecDraft['outputs']>[number]>;

/** Finds duplicate outputs, each `unless` that names no other output, and types of repeated or unlisted tensors. */
export function checkOutputs(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  const entries = [...wellFormedEntries(spec.outputs)];
  const seen = new Map<string, number>();
  for (const [index, { from, unless, tensors, types }] of entries) {
    findings.push(...checkTypes({ tensors, types }, ['spec', 'outputs', index, 'types']));
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

function checkTypes({ tensors, types }: Pick<OutputDraft, 'tensors' | 'types'>, path: Finding['path']): Finding[] {
  const findings: Finding[] = [];
  const typed = new Set<string>();
  for (const [index, { name = '' }] of wellFormedEntries(types)) {
    const at = [...path, index, 'name'];
    if (typed.has(name)) findings.push({ path: at, message: `expected each tensor once, found "${name}" again` });
    else if (tensors !== undefined && !tensors.includes(name))
      findings.push({ path: at, message: `expected one of the tensors of this output, found "${name}"` });
    typed.add(name);
  }
  return findings;
}

const SHORTHAND = ['datatype', 'shape', 'contentTypes'] as const;

/** Only one source is supported. It declares its tensors completely, in one form. */
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
            message: `missing field "${field}", expected it next to ${given.join(' and ')}`,
          });
  }
  return findings;
}
