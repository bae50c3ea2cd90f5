/** How several sources meet: keys and times name tensors of their source, and a rule fits the kind of join. */
import { isMalformed, type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';
import { nearestSpelling } from '../schema-problems/nearest-spelling.js';
import { tensorNames } from './sources-and-outputs.js';

type SourceDraft = NonNullable<NonNullable<SpecDraft['sources']>[number]>;

export function checkSourceJoin(spec: SpecDraft): Finding[] {
  if ((spec.sources?.length ?? 0) <= 1 || isMalformed(spec, 'sources') || isMalformed(spec, 'sourceJoin')) return [];
  const sources = [...wellFormedEntries(spec.sources)];
  return [
    ...checkWaiting(sources),
    ...checkWindow(spec, sources),
    ...checkTimes(sources),
    ...sources.flatMap(([index, source]) => [...checkFields(spec, source, ['spec', 'sources', index])]),
  ];
}

function* checkWaiting(sources: readonly (readonly [number, SourceDraft])[]): Generator<Finding> {
  if (sources.some(([, source]) => !Object.hasOwn(source, 'latest'))) return;
  const message = 'expected a source without `latest`, found none: its parts begin the requests';
  yield { path: ['spec', 'sources'], message };
}

function* checkWindow(
  { sourceJoin = {} }: SpecDraft,
  sources: readonly (readonly [number, SourceDraft])[],
): Generator<Finding> {
  if (isMalformed(sourceJoin, 'by')) return;
  const path = ['spec', 'sourceJoin'];
  if (sourceJoin.by !== 'key') {
    for (const field of ['windowMs', 'late'] as const) {
      if (!Object.hasOwn(sourceJoin, field) || (field === 'late' && sourceJoin.late === 'drop')) continue;
      yield { path: [...path, field], message: `expected \`by: key\` next to ${field}, found a join by id` };
    }
    return;
  }
  const waiting = sources.filter(([, source]) => !Object.hasOwn(source, 'latest'));
  if (waiting.length > 1 && !Object.hasOwn(sourceJoin, 'windowMs'))
    yield { path: [...path, 'windowMs'], message: 'missing field "windowMs", expected it next to `by: key`' };
  if (sourceJoin.late === 'partial' && !sources.some(([, { onMissing }]) => onMissing === 'partial'))
    yield {
      path: [...path, 'late'],
      message: 'expected a source with `onMissing: partial` for `late: partial`, found none',
    };
}

function* checkTimes(sources: readonly (readonly [number, SourceDraft])[]): Generator<Finding> {
  const without = sources.filter(([, source]) => !Object.hasOwn(source, 'time'));
  if (without.length === sources.length) return;
  for (const [index] of without)
    yield {
      path: ['spec', 'sources', index, 'time'],
      message: 'missing field "time", expected it at all sources or none',
    };
}

const KINDS = {
  key: {
    datatypes: ['BYTES', 'BOOL', 'INT8', 'INT16', 'INT32', 'INT64', 'UINT8', 'UINT16', 'UINT32', 'UINT64'],
    expected: 'a string, integer or boolean',
  },
  time: { datatypes: ['INT32', 'INT64', 'UINT32', 'UINT64', 'FP64'], expected: 'an integer or FP64 number' },
} as const;

function* checkFields(spec: SpecDraft, source: SourceDraft, path: ValuePath): Generator<Finding> {
  const isById = spec.sourceJoin?.by !== 'key' && !isMalformed(spec.sourceJoin ?? {}, 'by');
  for (const field of ['key', 'time'] as const) {
    if (source[field] === undefined) continue;
    const at = [...path, field];
    if (isById) yield { path: at, message: `expected \`sourceJoin.by: key\` for a ${field}, found a join by id` };
    yield* checkTensor(source, field, at);
  }
}

function* checkTensor(source: SourceDraft, field: 'key' | 'time', path: ValuePath): Generator<Finding> {
  const name = source[field] as string;
  const names = tensorNames(source);
  if (names.includes(undefined) || isMalformed(source, 'tensors')) return;
  if (!names.includes(name)) {
    const suggestion = nearestSpelling(name, new Set(names as readonly string[]));
    const message = `unknown tensor "${name}", expected one of this source: ${names.slice(0, 12).join(', ')}`;
    yield { path, message, ...(suggestion !== undefined && { suggestion }) };
    return;
  }
  const { datatype, shape } = source.tensors?.find((tensor) => tensor?.name === name) ?? source;
  const { datatypes, expected } = KINDS[field];
  if (datatype === undefined || shape === undefined) return;
  if ((datatypes as readonly string[]).includes(datatype) && shape.every((size) => size === 1)) return;
  const message = `expected a tensor with one element, ${expected}, found ${datatype} [${shape.join(', ')}]`;
  yield { path, message };
}
