/** Combinations of an accuracy table must be distinct. Each names a variant of every stage that has several. */
import { variantId, withoutQuorum } from '@equipoise/core/model';
import { type Draft, type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';
import type { PipelineFileInput } from '../schema/pipeline-file-schema.js';
import { draftQuorums, hasMalformedQuorum } from './quorums.js';
import { type CombinationDraft, combinationNames } from './references.js';
import { choicesOfStage } from './thresholds.js';

export type TableDraft = Draft<Exclude<NonNullable<PipelineFileInput['spec']['accuracyTable']>, string>>;
type Interval = readonly (number | undefined)[];
type Graph = Pick<SpecDraft, 'stages' | 'edges'>;

export function checkInlineAccuracyTable(spec: SpecDraft): Finding[] {
  const { accuracyTable, stages } = spec;
  if (accuracyTable === undefined || typeof accuracyTable === 'string' || stages === undefined) return [];
  return checkAccuracyTable(accuracyTable, { graph: spec, path: ['spec', 'accuracyTable'] });
}

export function checkAccuracyTable(
  table: TableDraft,
  { graph, path }: { readonly graph: Graph; readonly path: ValuePath },
): Finding[] {
  const { stages = [], edges } = graph;
  const quorums = draftQuorums(graph);
  const unknownNames = combinationNames(graph, quorums);
  // Choices of a malformed list are unknown, and its problem is already reported.
  const areQuorumsKnown = ![...wellFormedEntries(edges)].some(([, edge]) => hasMalformedQuorum(edge));
  const unknownShareNames = combinationNames(graph);
  const shares = [...wellFormedEntries(table.shares)].flatMap(([index, { from, variant }]) =>
    from === undefined
      ? []
      : [...unknownShareNames({ [from]: variant }, path)].map(({ place: _, ...finding }) => ({
          ...finding,
          path: [...path, 'shares', index],
        })),
  );
  const several = stages
    .filter(
      (stage) =>
        (stage?.variants?.length ?? 0) > 1 ||
        stage?.optional === true ||
        choicesOfStage(edges, stage?.name).length > 0 ||
        quorums.some(({ carrier }) => carrier === stage?.name),
    )
    .map((stage) => stage?.name);
  const seen = new Map<string, number>();
  const combinations = [...wellFormedEntries(table.combinations)].flatMap(([index, { variants, confidence95 }]) => {
    const entry = [...path, 'combinations', index];
    const interval = checkInterval(confidence95, [...entry, 'confidence95']);
    if (variants === undefined) return [...interval];
    const place = [...entry, 'variants'];
    return [
      ...interval,
      ...(areQuorumsKnown ? unknownNames(variants, place) : unknownShareNames(withoutQuorums(variants), place)),
      ...checkCompleteness(variants, several, place),
      ...checkUniqueness(variants, { seen, index, path: place }),
    ];
  });
  return [...combinations, ...shares];
}

const withoutQuorums = (variants: CombinationDraft): CombinationDraft =>
  Object.fromEntries(Object.entries(variants).map(([stage, name]) => [stage, name && withoutQuorum(variantId(name))]));

function* checkInterval(confidence95: Interval | undefined, path: ValuePath): Generator<Finding> {
  const [low, high] = confidence95 ?? [];
  if (low !== undefined && high !== undefined && low > high)
    yield { path, message: `expected [lower, upper], found [${low}, ${high}]` };
}

function* checkCompleteness(
  variants: CombinationDraft,
  several: readonly (string | undefined)[],
  path: ValuePath,
): Generator<Finding> {
  const missing = several.filter((name) => name !== undefined && !Object.hasOwn(variants, name));
  if (missing.length > 0)
    yield {
      path,
      message: `expected a variant of every stage that has several or is optional, found none of ${missing.join(', ')}`,
    };
}

function* checkUniqueness(
  variants: CombinationDraft,
  { seen, index, path }: { readonly seen: Map<string, number>; readonly index: number; readonly path: ValuePath },
): Generator<Finding> {
  const key = JSON.stringify(Object.entries(variants).sort());
  const earlier = seen.get(key);
  if (earlier !== undefined)
    yield { path, message: `expected each combination once, found that of entry ${earlier} again` };
  else seen.set(key, index);
}
