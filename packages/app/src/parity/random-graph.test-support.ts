/**
 * Random nested pipelines of series, splits (branches, early joins, detours) and groups (fan-out and join). A stage
 * before a fan-out has no other exit and no output. A fan-out of a fan-out has no outputs inside, because groups of
 * different sizes form no tensor.
 */
import { type EdgeSpec, type Join, type OutputSpec, type Rng, type StageId, stageId } from '@equipoise/core/model';

export interface RandomGraph {
  readonly stages: readonly StageId[];
  readonly entry: StageId;
  readonly edges: readonly EdgeSpec[];
  readonly outputs: readonly OutputSpec[];
}

interface Block {
  readonly entry: StageId;
  readonly exit: StageId;
}

/** Condition of an edge by index, over the tensor that decides it (see `KeyedRunner`). */
export function conditionOf(index: number, fansOut: boolean): string {
  return fansOut ? `shape["way${index}"][1] == 1` : `output["way${index}"][0] == 1`;
}

/** Draws a graph of about `size` stages; a chain if `plain`. */
export function randomGraph(rng: Rng, size: number, plain: boolean): RandomGraph {
  const maker = new GraphMaker(rng, plain);
  const root = maker.block(size);
  const answering = maker.stages.filter(
    (id) => id === root.exit || (!plain && rng.next() < 0.15 && maker.mayAnswer(id)),
  );
  return {
    stages: maker.stages,
    entry: root.entry,
    edges: maker.edges,
    outputs: answering.map((from) => ({ from })),
  };
}

class GraphMaker {
  readonly stages: StageId[] = [];
  readonly edges: EdgeSpec[] = [];
  readonly #fansOut = new Set<StageId>();
  readonly #deep = new Set<StageId>();
  readonly #rng: Rng;
  readonly #plain: boolean;
  #depth = 0;

  constructor(rng: Rng, plain: boolean) {
    this.#rng = rng;
    this.#plain = plain;
  }

  mayAnswer(id: StageId): boolean {
    return !this.#fansOut.has(id) && !this.#deep.has(id);
  }

  block(size: number): Block {
    if (size <= 1) {
      const only = this.#stage();
      return { entry: only, exit: only };
    }
    const kind = this.#plain ? 0 : this.#rng.next();
    if (kind < 0.35 || size < 3) return this.#series(size);
    return kind < 0.7 ? this.#split(size) : this.#group(size);
  }

  #series(size: number): Block {
    const half = Math.max(1, Math.floor(size / 2));
    const [first, second] = [this.block(half), this.block(size - half)];
    this.#edge(first.exit, second.entry, { branch: !this.#plain && this.#chance(0.2) });
    return { entry: first.entry, exit: second.exit };
  }

  #split(size: number): Block {
    const [head, tail] = [this.#stage(), this.#stage()];
    const count = 1 + Math.floor(this.#rng.next() * 3);
    const ways = Array.from({ length: count }, () => {
      const inner = this.block(Math.max(1, Math.floor((size - 2) / count)));
      this.#edge(head, inner.entry, { branch: this.#chance(0.5) });
      return inner;
    });
    const isDirect = this.#chance(0.3);
    const inputs = count + (isDirect ? 1 : 0);
    const more = inputs > 1 && this.#chance(0.4) ? { join: this.#earlyJoin(inputs) } : {};
    for (const { exit } of ways) this.#edge(exit, tail, more);
    if (isDirect) this.#edge(head, tail, more);
    return { entry: head, exit: tail };
  }

  #group(size: number): Block {
    const [head, tail] = [this.#stage(), this.#stage()];
    this.#fansOut.add(head);
    this.#depth += 1;
    const inner = this.block(size - 2);
    this.#depth -= 1;
    const expected = [0.5, 1, 2, 2.5, 4][Math.floor(this.#rng.next() * 5)] ?? 1;
    this.#edge(head, inner.entry, { fanOut: { expected }, branch: this.#chance(0.2) });
    this.#edge(inner.exit, tail, {
      join: this.#chance(0.4) ? this.#earlyJoin(3) : 'all',
      branch: this.#chance(0.2) && !this.#fansOut.has(inner.exit),
    });
    return { entry: head, exit: tail };
  }

  #earlyJoin(most: number): Join {
    return this.#chance(0.5) ? 'any' : { quorum: 1 + Math.floor(this.#rng.next() * most) };
  }

  #edge(from: StageId, to: StageId, { branch, ...kind }: Partial<EdgeSpec> & { readonly branch?: boolean }): void {
    const condition = conditionOf(this.edges.length, kind.fanOut !== undefined);
    const probability = 0.1 + 0.2 * this.#rng.next();
    const maybePartial = this.#rng.fork(`missing/${this.edges.length}`).next() < 0.3;
    this.edges.push({
      from,
      to,
      ...kind,
      ...(branch ? { when: { condition, probability } } : {}),
      ...(maybePartial ? { onMissing: 'partial' } : {}),
    });
  }

  #stage(): StageId {
    const id = stageId(`s${this.stages.length}`);
    this.stages.push(id);
    if (this.#depth > 1) this.#deep.add(id);
    return id;
  }

  #chance(probability: number): boolean {
    return this.#rng.next() < probability;
  }
}
