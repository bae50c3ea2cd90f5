/**
 * References must name something that exists. A reference may mean a name that is malformed. So while a name is
 * malformed, an unknown reference is reported only if it resembles a known name.
 */
import { atQuorum, atThreshold, OMITTED, type QuorumChoice, variantId } from '@equipoise/core/model';
import { type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';
import { nearestSpelling } from '../schema-problems/nearest-spelling.js';
import { choicesOfStage } from './thresholds.js';

export function checkReferences(spec: SpecDraft): Finding[] {
  const stages = knownNames(spec.stages);
  const findings: (Finding | undefined)[] = [];
  const stage = (name: string | undefined, path: ValuePath) =>
    findings.push(unknownName(name, { path: ['spec', ...path], known: stages, what: 'stage' }));
  for (const [index, edge] of wellFormedEntries(spec.edges)) {
    stage(edge.from, ['edges', index, 'from']);
    stage(edge.to, ['edges', index, 'to']);
    const of = spec.stages?.find((each) => each !== undefined && each.name === edge.from);
    const place = ['spec', 'edges', index];
    findings.push(...shareNames(edge.when?.probability, of, [...place, 'when', 'probability']));
    findings.push(...shareNames(edge.fanOut?.expected, of, [...place, 'fanOut', 'expected']));
  }
  for (const [index, output] of wellFormedEntries(spec.outputs)) {
    stage(output.from, ['outputs', index, 'from']);
    stage(output.unless, ['outputs', index, 'unless']);
  }
  for (const [index, { to }] of wellFormedEntries(spec.sources)) {
    if (typeof to === 'string') stage(to, ['sources', index, 'to']);
    else for (const [position, name] of wellFormedEntries(to)) stage(name, ['sources', index, 'to', position]);
  }
  for (const [index, { pins, shadow, variants }] of wellFormedEntries(spec.stages)) {
    const known = knownNames(variants);
    const path = ['spec', 'stages', index];
    findings.push(unknownName(pins?.variant, { path: [...path, 'pins', 'variant'], known, what: 'variant' }));
    findings.push(unknownName(shadow?.variant, { path: [...path, 'shadow', 'variant'], known, what: 'variant' }));
  }
  return findings.filter((finding) => finding !== undefined);
}

/** Shares by variant name every variant of the stage that the edge leaves. */
function* shareNames(shares: unknown, of: StageDraft | undefined, path: ValuePath): Generator<Finding> {
  if (typeof shares !== 'object' || shares === null || Array.isArray(shares)) return;
  if (of !== undefined && Object.hasOwn(of, 'combine')) {
    yield { path, message: `expected one number, as the combine stage "${of.name}" has no variants` };
    return;
  }
  const known = knownNames(of?.variants);
  if (known === undefined) return;
  for (const name of Object.keys(shares)) {
    const unknown = unknownName(name, { path: [...path, name], known, what: 'variant' });
    if (unknown !== undefined) yield { ...unknown, place: 'key' };
  }
  const missing = [...known.names].filter((name) => !Object.hasOwn(shares, name));
  if (missing.length > 0)
    yield { path, message: `expected a value for each variant of "${of?.name}", found none for ${missing.join(', ')}` };
}

export type CombinationDraft = Readonly<Record<string, string | undefined>>;

/** Checks the stage and variant names in one combination. Carriers of `quorums` name one, too. */
export function combinationNames(
  { stages = [], edges }: Pick<SpecDraft, 'stages' | 'edges'>,
  quorums: readonly QuorumChoice[] = [],
) {
  const known = knownNames(stages.filter((stage) => stage === undefined || !Object.hasOwn(stage, 'combine')));
  const hasOptional = stages.some((stage) => stage?.optional === true);
  const omitted = hasOptional ? [{ name: OMITTED }] : [];
  const variantsOf = new Map(
    stages.map((stage) => [
      stage?.name,
      knownNames(
        stage?.variants && [
          ...atQuorums(stage, atThresholds(stage, edges), quorums).map((name) => ({ name })),
          // If a plan omits the stages behind the thresholds, or the join, the variant alone decides.
          ...(hasOptional ? [...stage.variants, ...atThresholds(stage, edges).map((name) => ({ name }))] : []),
          ...omitted,
        ],
      ),
    ]),
  );
  return function* (combination: CombinationDraft, parent: ValuePath): Generator<Finding> {
    for (const [stage, variant] of Object.entries(combination)) {
      const path = [...parent, stage];
      const unknownStage = unknownName(stage, { path, known, what: 'stage' });
      if (unknownStage !== undefined) yield { ...unknownStage, place: 'key' };
      const unknownVariant = unknownName(variant, { path, known: variantsOf.get(stage), what: 'variant' });
      if (unknownVariant !== undefined) yield unknownVariant;
    }
  };
}

/** Names of the variants, at each threshold if there are several. */
function atThresholds(
  { name: stage, variants }: StageDraft,
  edges: SpecDraft['edges'],
): readonly (string | undefined)[] {
  const thresholds = choicesOfStage(edges, stage);
  const names = (variants ?? []).map((variant) => variant?.name);
  if (thresholds.length === 0) return names;
  return names.flatMap((name) =>
    thresholds.map((threshold) => (name === undefined ? name : atThreshold(variantId(name), threshold))),
  );
}

/** The names, with each quorum if the stage carries a choice. */
function atQuorums(
  { name: stage }: StageDraft,
  names: readonly (string | undefined)[],
  quorums: readonly QuorumChoice[],
): readonly (string | undefined)[] {
  const own = quorums.find(({ carrier }) => carrier === stage)?.quorums ?? [];
  if (own.length === 0) return names;
  return names.flatMap((name) => own.map((quorum) => (name === undefined ? name : atQuorum(variantId(name), quorum))));
}

interface KnownNames {
  readonly names: ReadonlySet<string>;
  readonly complete: boolean;
}

function knownNames(
  list: readonly ({ readonly name?: string | undefined } | undefined)[] | undefined,
): KnownNames | undefined {
  if (list === undefined) return undefined;
  const names = list.map((entry) => entry?.name).filter((name) => name !== undefined);
  return { names: new Set(names), complete: names.length === list.length };
}

interface Reference {
  readonly path: ValuePath;
  readonly known: KnownNames | undefined;
  readonly what: 'stage' | 'variant';
}

function unknownName(name: string | undefined, { path, known, what }: Reference): Finding | undefined {
  if (name === undefined || known === undefined || known.names.has(name)) return undefined;
  const suggestion = nearestSpelling(name, known.names);
  if (suggestion === undefined && !known.complete) return undefined;
  const message = `unknown ${what} "${name}", expected ${listed(known.names)}`;
  return { path, message, ...(suggestion === undefined ? {} : { suggestion }) };
}

function listed(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, 12);
  const more = names.size > shown.length ? ` or ${names.size - shown.length} others` : '';
  return `${shown.length === 1 ? '' : 'one of '}${shown.join(', ')}${more}`;
}

export function checkNames(spec: SpecDraft): Finding[] {
  return [
    ...repeated(spec.stages, ['spec', 'stages'], 'the stages'),
    ...repeated(spec.sources, ['spec', 'sources'], 'the sources'),
    ...[...wellFormedEntries(spec.stages)].flatMap(([index, { variants }]) => [
      ...repeated(variants, ['spec', 'stages', index, 'variants'], 'the variants of this stage'),
    ]),
    ...[...wellFormedEntries(spec.sources)].flatMap(([index, { tensors }]) => [
      ...repeated(tensors, ['spec', 'sources', index, 'tensors'], 'the tensors of this source'),
    ]),
  ];
}

interface Named {
  readonly name?: string | undefined;
}

function* repeated(
  list: readonly (Named | undefined)[] | undefined,
  path: ValuePath,
  what: string,
): Generator<Finding> {
  const first = new Map<string, number>();
  for (const [index, { name }] of wellFormedEntries(list)) {
    if (name === undefined) continue;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    else
      yield {
        path: [...path, index, 'name'],
        message: `expected a name that is unique among ${what}, found "${name}", which entry ${earlier} has`,
      };
  }
}
