/** Relations of choices. Dominance by replicas: a choice fails if the same choice with at least as many replicas at each stage failed. */
import type { SurrogateChoice } from '../options/surrogate.js';

/** Choices that differ in replicas alone: those added so far, and replicas of those that failed. */
interface Shape<Added> {
  readonly added: { readonly of: Added; readonly replicas: readonly number[] }[];
  readonly failed: (readonly number[])[];
}

export class ChoiceShapes<Added extends { readonly choice: SurrogateChoice }> {
  readonly #shapes = new Map<string, Shape<Added>>();

  add(of: Added): void {
    this.#shapeOf(of.choice).added.push({ of, replicas: replicasOf(of.choice) });
  }

  mustFail(choice: SurrogateChoice): boolean {
    const replicas = replicasOf(choice);
    return this.#shapeOf(choice).failed.some((failed) => isBelow(replicas, failed));
  }

  /** Returns the added choices that must fail, too. */
  fail(choice: SurrogateChoice): readonly Added[] {
    const { failed, added } = this.#shapeOf(choice);
    const replicas = replicasOf(choice);
    failed.push(replicas);
    return added.flatMap((each) => (isBelow(each.replicas, replicas) ? [each.of] : []));
  }

  #shapeOf(choice: SurrogateChoice): Shape<Added> {
    const key = choice.map(({ option: o }) => `${o.variantIndex}/${o.resources.cpuCores}/${o.maxBatchSize}`).join(' ');
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const shape: Shape<Added> = { added: [], failed: [] };
    this.#shapes.set(key, shape);
    return shape;
  }
}

const replicasOf = (choice: SurrogateChoice): readonly number[] => choice.map(({ option }) => option.replicas);

const isBelow = (replicas: readonly number[], failed: readonly number[]): boolean =>
  replicas.every((count, s) => count <= (failed[s] as number));

export const hasSameVariants = (a: SurrogateChoice, b: SurrogateChoice): boolean =>
  a.every(({ option }, s) => option.variantIndex === b[s]?.option.variantIndex);

export const differsAtOneStage = (a: SurrogateChoice, b: SurrogateChoice): boolean =>
  a.filter(({ option }, s) => option !== b[s]?.option).length <= 1;
