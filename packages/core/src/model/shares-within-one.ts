/** Shares of the branches of a stage: for each of its choices they sum to at most 1. */
import { meanOf } from '../kernel/count-statistics.js';
import type { StageId, VariantId } from './ids.js';
import type { EdgeSpec } from './pipeline-spec.js';

type Branch = NonNullable<EdgeSpec['when']>;

const shareFor = ({ byVariant, probability }: Branch, choice: VariantId | undefined): number =>
  (choice === undefined ? undefined : byVariant?.[choice]) ?? probability;

/**
 * Scales down shares that sum to more than 1, for example because they were rounded or measured separately. Edges that
 * are not `isKnown` divide what the known ones leave.
 */
export function sharesWithinOne(
  edges: readonly EdgeSpec[],
  isKnown: (index: number) => boolean = () => true,
): readonly EdgeSpec[] {
  const branches = new Map<StageId, readonly number[]>();
  for (const [index, { from, when }] of edges.entries())
    if (when !== undefined) branches.set(from, [...(branches.get(from) ?? []), index]);
  return edges.map((edge, index) => {
    const { when, from } = edge;
    if (when === undefined) return edge;
    const all = (branches.get(from) ?? []).map((at) => ({ of: edges[at]?.when as Branch, isKnown: isKnown(at) }));
    return { ...edge, when: scaledBranch(when, (choice) => factorOf(all, { choice, isKnown: isKnown(index) })) };
  });
}

function scaledBranch(when: Branch, factorFor: (choice?: VariantId) => number): Branch {
  const { byVariant, probability } = when;
  if (byVariant === undefined) return { ...when, probability: factorFor() * probability };
  const scaled = Object.entries<number>(byVariant).map(
    ([id, share]) => [id, factorFor(id as VariantId) * share] as const,
  );
  const isScaled = scaled.some(([id, share]) => share !== byVariant[id as VariantId]);
  return {
    ...when,
    byVariant: Object.fromEntries(scaled),
    probability: isScaled ? meanOf(scaled.map(([, share]) => share)) : factorFor() * probability,
  };
}

interface Scaled {
  readonly choice: VariantId | undefined;
  readonly isKnown: boolean;
}

/** Factor of a branch. Without shares by variant of its own, it must suit all choices of the others. */
function factorOf(
  all: readonly { readonly of: Branch; readonly isKnown: boolean }[],
  { choice, isKnown }: Scaled,
): number {
  const factorFor = (of: VariantId | undefined): number => {
    let [known, rest] = [0, 0];
    for (const branch of all) {
      const share = shareFor(branch.of, of);
      if (branch.isKnown) known += share;
      else rest += share;
    }
    if (known + rest <= 1) return 1;
    if (isKnown) return 1 / Math.max(1, known);
    return rest > 0 ? Math.max(0, 1 - known) / rest : 1;
  };
  if (choice !== undefined) return factorFor(choice);
  const choices = new Set(all.flatMap(({ of }) => Object.keys(of.byVariant ?? {}) as VariantId[]));
  return Math.min(factorFor(undefined), ...[...choices].map(factorFor));
}
