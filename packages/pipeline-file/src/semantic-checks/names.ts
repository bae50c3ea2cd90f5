import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

/** Finds duplicate names of stages, variants, sources and tensors. */
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
