import { isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
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

/**
 * A source declares its tensors completely, in one form. Several sources declare what tells their parts apart: tensors
 * and stages of their own, and names that no stage has.
 */
export function checkSources(spec: SpecDraft): Finding[] {
  const findings: Finding[] = [];
  for (const [index, source] of wellFormedEntries(spec.sources)) {
    const path = ['spec', 'sources', index];
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
  return [...findings, ...((spec.sources?.length ?? 0) > 1 ? checkSeveralSources(spec) : checkSingleSource(spec))];
}

function* checkSingleSource(spec: SpecDraft): Generator<Finding> {
  for (const [index, source] of wellFormedEntries(spec.sources)) {
    for (const field of ['onMissing', 'share', 'latest', 'key', 'time'] as const) {
      if (!Object.hasOwn(source, field)) continue;
      const message = `expected several sources for \`${field}\`, found one; remove the field`;
      yield { path: ['spec', 'sources', index, field], message };
    }
  }
}

function* checkSeveralSources(spec: SpecDraft): Generator<Finding> {
  const stages = new Set(spec.stages?.map((stage) => stage?.name));
  const sources = [...wellFormedEntries(spec.sources)];
  const wanted = sources.some(([, source]) => Object.hasOwn(source, 'samples')) ? ['to', 'samples'] : ['to'];
  for (const [index, source] of sources) {
    const path = ['spec', 'sources', index];
    const missing = wanted.filter((field) => !Object.hasOwn(source, field));
    for (const field of missing)
      yield { path: [...path, field], message: `missing field "${field}", expected it at each of several sources` };
    if (source.name !== undefined && stages.has(source.name)) {
      const message = `expected a name that no stage has, found "${source.name}": both would be the model PIPELINE.${source.name}`;
      yield { path: [...path, 'name'], message };
    }
    yield* checkPart(source, path);
  }
  if (sources.every(([, { onMissing }]) => onMissing === 'partial')) {
    const message = 'expected a source without `onMissing: partial`, found none: a request needs a part';
    yield { path: ['spec', 'sources'], message };
  }
  yield* sharedTensors(sources);
}

function* checkPart(source: SourceDraft, path: Finding['path']): Generator<Finding> {
  if (Object.hasOwn(source, 'share') && source.onMissing !== 'partial' && !isMalformed(source, 'onMissing'))
    yield { path: [...path, 'share'], message: 'expected `onMissing: partial` next to a share, found none' };
  if (tensorNames(source).length === 0 && !isMalformed(source, 'tensors'))
    yield { path, message: 'expected the tensors of each of several sources, found none; add datatype and shape' };
}

/** Tensors that two sources declare: a request would have two of this name. */
function* sharedTensors(sources: readonly (readonly [number, SourceDraft])[]): Generator<Finding> {
  const owners = new Map<string, number>();
  for (const [index, source] of sources)
    for (const name of tensorNames(source)) {
      if (name === undefined) continue;
      const owner = owners.get(name) ?? index;
      owners.set(name, owner);
      if (owner === index) continue;
      const message = `expected tensor names that no other source has, found "${name}", which source ${owner} has`;
      yield { path: ['spec', 'sources', index], message };
    }
}

type SourceDraft = NonNullable<NonNullable<SpecDraft['sources']>[number]>;

/** Names of the tensors that a source declares; undefined for a malformed name. */
export function tensorNames(source: SourceDraft): readonly (string | undefined)[] {
  if (source.tensors !== undefined) return source.tensors.map((tensor) => tensor?.name);
  return Object.hasOwn(source, 'datatype') ? [source.name] : [];
}
