/**
 * Random nested graphs of branches, detours, fan-outs and joins, with the expected outputs of a request. The outputs
 * follow from the structure by recursion, without the bookkeeping of a walk.
 */
import type { Rng } from '../kernel/rng.js';
import { type StageId, stageId } from '../model/ids.js';
import type { EdgeSpec, Join, PipelineSpec } from '../model/pipeline-spec.js';
import { graphSpec, way } from './walk-bench.test-support.js';

/** Decisions on branches and items. The walk must make the same ones. */
export interface Choices {
  takes(edge: string, output: string): boolean;
  items(output: string): number;
}

/** A spec, and the expected outputs by slot for the payload `input` (undefined if skipped). */
export interface RandomGraph {
  readonly spec: PipelineSpec;
  expected(input: string, choices: Choices): readonly (string | undefined)[];
}

/** Outputs by stage. Skipped stages are absent. */
type Outputs = Map<string, string>;

interface Block {
  readonly entry: string;
  readonly exit: string;
  readonly stages: readonly string[];
  run(input: string, choices: Choices): Outputs;
}

/** Draws a graph of about `size` stages. With `early`, joins may be `any` or a quorum. */
export function randomGraph(rng: Rng, size: number, early: boolean): RandomGraph {
  const maker = new GraphMaker(rng, early);
  const root = maker.block(size);
  const outputs = root.stages.filter((stage) => stage === root.exit || rng.next() < 0.2);
  const spec = graphSpec(maker.edges, {
    sources: [{ name: 'in', to: [stageId(root.entry)], tensors: [] }],
    outputs: outputs.map((from) => ({ from: from as StageId })),
  });
  return {
    spec,
    expected: (input, choices) => {
      const all = root.run(input, choices);
      return outputs.map((stage) => all.get(stage));
    },
  };
}

class GraphMaker {
  readonly edges: EdgeSpec[] = [];
  readonly #rng: Rng;
  readonly #early: boolean;
  #stages = 0;

  constructor(rng: Rng, early: boolean) {
    this.#rng = rng;
    this.#early = early;
  }

  block(size: number): Block {
    if (size <= 1) return this.#single();
    const kind = this.#rng.next();
    if (kind < 0.35) return this.#series(size);
    return kind < 0.7 ? this.#split(size) : this.#group(size);
  }

  #single(): Block {
    const name = this.#name();
    return { entry: name, exit: name, stages: [name], run: (input) => new Map([[name, input + name]]) };
  }

  #series(size: number): Block {
    const half = Math.max(1, Math.floor(size / 2));
    const [first, second] = [this.block(half), this.block(size - half)];
    const branch = this.#edge(first.exit, second.entry, { when: this.#chance(0.4) });
    return {
      entry: first.entry,
      exit: second.exit,
      stages: [...first.stages, ...second.stages],
      run: (input, choices) => {
        const outputs = first.run(input, choices);
        const between = outputs.get(first.exit);
        if (between === undefined || !isTaken(branch, between, choices)) return outputs;
        return new Map([...outputs, ...second.run(between, choices)]);
      },
    };
  }

  #split(size: number): Block {
    const [head, tail] = [this.#name(), this.#name()];
    const count = 1 + Math.floor(this.#rng.next() * 3);
    const ways = Array.from({ length: count }, () => {
      const inner = this.block(Math.max(1, Math.floor((size - 2) / count)));
      return { inner, branch: this.#edge(head, inner.entry, { when: this.#chance(0.6) }) };
    });
    const isDirect = this.#chance(0.3);
    const inputs = count + (isDirect ? 1 : 0);
    const join = this.#early && inputs > 1 && this.#chance(0.5) ? { join: this.#earlyJoin(inputs) } : {};
    for (const { inner } of ways) this.#edge(inner.exit, tail, join);
    if (isDirect) this.#edge(head, tail, join);
    return {
      entry: head,
      exit: tail,
      stages: [head, tail, ...ways.flatMap(({ inner }) => inner.stages)],
      run: (input, choices) => {
        const output = input + head;
        const outputs: Outputs = new Map([[head, output]]);
        let hasBranched = false;
        const parts = ways.map(({ inner, branch }) => {
          if (branch.when !== undefined && (hasBranched || !isTaken(branch, output, choices))) return undefined;
          if (branch.when !== undefined) hasBranched = true;
          const own = inner.run(output, choices);
          for (const [stage, value] of own) outputs.set(stage, value);
          return own.get(inner.exit);
        });
        if (isDirect) parts.push(output);
        if (parts.every((part) => part === undefined)) return outputs;
        while (parts.at(-1) === undefined) parts.pop();
        const merged = inputs === 1 ? parts[0] : `{${parts.map((part) => part ?? '').join('|')}}`;
        return outputs.set(tail, merged + tail);
      },
    };
  }

  #group(size: number): Block {
    const [head, tail] = [this.#name(), this.#name()];
    const inner = this.block(size - 2);
    const enter = this.#edge(head, inner.entry, { when: this.#chance(0.3), fanOut: { expected: 2 } });
    const isEarly = this.#early && this.#chance(0.5);
    const leave = this.#edge(inner.exit, tail, { when: this.#chance(0.2), join: isEarly ? this.#earlyJoin(2) : 'all' });
    return {
      entry: head,
      exit: tail,
      stages: [head, tail, ...inner.stages],
      run: (input, choices) => {
        const output = input + head;
        const outputs: Outputs = new Map([[head, output]]);
        if (!isTaken(enter, output, choices)) return outputs;
        const items = Array.from({ length: choices.items(output) }, (_, i) => inner.run(`${output}${i}`, choices));
        const gathered = (stage: string, keeps: (value: string) => boolean) =>
          `[${items
            .flatMap((item) => item.get(stage) ?? [])
            .filter(keeps)
            .join(' ')}]`;
        for (const stage of inner.stages)
          outputs.set(
            stage,
            gathered(stage, () => true),
          );
        return outputs.set(tail, gathered(inner.exit, (value) => isTaken(leave, value, choices)) + tail);
      },
    };
  }

  #earlyJoin(most: number): Join {
    return this.#chance(0.5) ? 'any' : { quorum: 1 + Math.floor(this.#rng.next() * most) };
  }

  #edge(from: string, to: string, more: Omit<Partial<EdgeSpec>, 'when'> & { readonly when?: boolean }): EdgeSpec {
    const ends = `${from}>${to}`;
    const { when, ...kind } = more;
    const edge = way(ends, { ...kind, ...(when ? { when: { condition: ends, probability: 0.2 } } : {}) });
    this.edges.push(edge);
    return edge;
  }

  #chance(probability: number): boolean {
    return this.#rng.next() < probability;
  }

  #name(): string {
    this.#stages += 1;
    return `S${this.#stages}.`;
  }
}

function isTaken({ when }: EdgeSpec, output: string, choices: Choices): boolean {
  return when === undefined || choices.takes(when.condition, output);
}
