/** The order in which a fit looks at its examples: all of them in a new random order, again and again. */
import { SeededRng } from '../../kernel/rng.js';

/** Gives the example at each place of the endless order; asks in ascending places are quick. */
export function shuffledOrder(examples: number, seed: number): (place: number) => number {
  let epoch = -1;
  let order: Uint32Array = new Uint32Array(0);
  return (place) => {
    const wanted = Math.floor(place / examples);
    if (wanted !== epoch) {
      epoch = wanted;
      order = shuffled(examples, seed, epoch);
    }
    return order[place % examples] as number;
  };
}

function shuffled(examples: number, seed: number, epoch: number): Uint32Array {
  const rng = new SeededRng(seed).fork(`epoch ${epoch}`);
  const order = Uint32Array.from({ length: examples }, (_, example) => example);
  for (let last = examples - 1; last > 0; last--) {
    const other = Math.floor(rng.next() * (last + 1));
    const swapped = order[last] as number;
    order[last] = order[other] as number;
    order[other] = swapped;
  }
  return order;
}
