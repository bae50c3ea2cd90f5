import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';

/** Message about a reference that this machine lacks; undefined if it exists or is remote. */
export type MissingReference = (
  what: 'accuracy table' | 'artifact' | 'data folder' | 'evaluation module' | 'module' | 'samples folder',
  reference: string,
  baseDir: string,
) => string | undefined;

type Reference = readonly [what: Parameters<MissingReference>[0], path: ValuePath, reference: string | undefined];

/** Finds files and folders that do not exist. An artifact of a server may exist only there. */
export function checkFiles(spec: SpecDraft, baseDir: string, missing: MissingReference): Finding[] {
  return [...references(spec)].flatMap(([what, path, reference]) => {
    const message = reference === undefined ? undefined : missing(what, reference, baseDir);
    return message === undefined ? [] : [{ path, message }];
  });
}

function* references(spec: SpecDraft): Generator<Reference> {
  if (typeof spec.accuracyTable === 'string') yield ['accuracy table', ['spec', 'accuracyTable'], spec.accuracyTable];
  if (spec.evaluation !== undefined) {
    yield ['evaluation module', ['spec', 'evaluation', 'module'], spec.evaluation.module];
    yield ['data folder', ['spec', 'evaluation', 'data'], spec.evaluation.data];
  }
  for (const [index, { samples }] of wellFormedEntries(spec.sources))
    yield ['samples folder', ['spec', 'sources', index, 'samples'], samples];
  for (const [index, stage] of wellFormedEntries(spec.stages)) {
    const path = ['spec', 'stages', index];
    yield ['module', [...path, 'module'], stage.module];
    for (const [position, variant] of wellFormedEntries(stage.variants))
      if (!Object.hasOwn(variant, 'server'))
        yield ['artifact', [...path, 'variants', position, 'artifact'], variant.artifact];
  }
}
