/**
 * Classes of a search: variant combinations, each with one accuracy. Of many, only the best are kept: each solve of the
 * surrogate excludes all classes found before (Lawler 1972).
 */
import type { SurrogateProblem } from '../options/surrogate.js';
import { solve } from '../surrogate/solve.js';

export interface VariantClass {
  /** One variant position per stage. */
  readonly variants: readonly number[];
  readonly pas: number;
}

const MOST_ENUMERATED = 3000;
const MOST_SOLVED = 60;

/** `complete`: no class is missing. */
export interface VariantClasses {
  readonly classes: readonly VariantClass[];
  readonly complete: boolean;
}

export function variantClasses(problem: SurrogateProblem): VariantClasses {
  const allowed = problem.stages.map((options) => [...new Set(options.map(({ option }) => option.variantIndex))]);
  const count = allowed.reduce((product, list) => product * list.length, 1);
  return count <= MOST_ENUMERATED
    ? { classes: allClasses(problem, allowed), complete: true }
    : { classes: bestClasses(problem, allowed), complete: false };
}

function allClasses({ accuracy }: SurrogateProblem, allowed: readonly (readonly number[])[]): readonly VariantClass[] {
  let combinations: readonly (readonly number[])[] = [[]];
  for (const list of allowed) combinations = combinations.flatMap((before) => list.map((v) => [...before, v]));
  return combinations.flatMap((variants) => {
    const pas = accuracy.pas(variants);
    return pas === undefined ? [] : [{ variants, pas }];
  });
}

type Box = readonly (readonly number[])[];

interface OpenBox {
  readonly box: Box;
  readonly variants: readonly number[];
  readonly pas: number;
  readonly cost: number;
}

function solveBox(problem: SurrogateProblem, box: Box): OpenBox | undefined {
  const stages = problem.stages.map((options, s) =>
    options.filter(({ option }) => box[s]?.includes(option.variantIndex)),
  );
  if (stages.some((options) => options.length === 0)) return undefined;
  const { choice } = solve({ ...problem, stages });
  if (choice === undefined) return undefined;
  const variants = choice.map(({ option }) => option.variantIndex);
  const cost = choice.reduce((sum, o) => sum + o.costPerHour, 0);
  return { box, variants, pas: problem.accuracy.pas(variants) ?? 0, cost };
}

/** Parts of a box outside its best class. Part k first differs from that class at stage k. */
function boxesWithout({ box, variants }: OpenBox): readonly Box[] {
  return box.flatMap((list, s) => {
    const others = list.filter((v) => v !== variants[s]);
    if (others.length === 0) return [];
    return [box.map((each, t) => (t < s ? [variants[t] as number] : t === s ? others : each))];
  });
}

function bestClasses(problem: SurrogateProblem, allowed: Box): readonly VariantClass[] {
  const found: VariantClass[] = [];
  const first = solveBox(problem, allowed);
  const open = first === undefined ? [] : [first];
  let solved = 1;
  const better = (a: OpenBox, b: OpenBox): boolean =>
    problem.objective.kind === 'min-cost' ? a.cost < b.cost : a.pas > b.pas;
  while (open.length > 0) {
    const best = open.reduce((a, b) => (better(b, a) ? b : a));
    open.splice(open.indexOf(best), 1);
    found.push({ variants: best.variants, pas: best.pas });
    for (const box of boxesWithout(best)) {
      if (solved >= MOST_SOLVED) break;
      solved++;
      const next = solveBox(problem, box);
      if (next !== undefined) open.push(next);
    }
  }
  return found;
}

/** Combinations that differ from `variants` in exactly two stages. */
export function pairsOfChanges(variants: readonly number[], allowed: Box): readonly (readonly number[])[] {
  const changed = (from: readonly number[], stages: readonly number[]): readonly (readonly number[])[] =>
    stages.flatMap((s) => (allowed[s] ?? []).flatMap((v) => (v === from[s] ? [] : [from.with(s, v)])));
  const stages = variants.map((_, s) => s);
  return stages.flatMap((s) => changed(variants, [s]).flatMap((one) => changed(one, stages.slice(s + 1))));
}
