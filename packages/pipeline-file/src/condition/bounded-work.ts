/**
 * Bounds the work of a condition, which runs on the serving thread. Evaluating a node is a step, and steps are limited,
 * also in nested loops. So are reads of tensors. Regular expressions are rejected: their engine backtracks, and clients
 * could exploit that.
 */

interface SyntaxNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly evaluate: (...args: unknown[]) => unknown;
}

/** Maximum steps of one evaluation, which take 25 to 50 ms. */
const MOST_STEPS = 250_000;
/** Maximum list entries that one evaluation may read, which takes about 20 ms. */
const MOST_READS = 50_000;

/** Work of one condition. Both counts throw at their limit. */
export class ConditionWork {
  /** Steps and reads of all evaluations. */
  total = 0;
  #steps = 0;
  #reads = 0;

  /** Begins an evaluation. */
  begin(): void {
    this.#steps = 0;
    this.#reads = 0;
  }

  countStep(): void {
    this.total += 1;
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) throw new Error(`it takes more than ${MOST_STEPS} steps`);
  }

  countRead(): void {
    this.total += 1;
    this.#reads += 1;
    if (this.#reads > MOST_READS) throw new Error(`it reads more than ${MOST_READS} entries; ask \`shape\` for sizes`);
  }
}

/** Offset of the first regular expression; undefined if there is none. */
export function offsetOfRegularExpression(tree: unknown): number | undefined {
  return nodesOf(tree).find(({ op, args }) => op === 'rcall' && Array.isArray(args) && args[0] === 'matches')?.start;
}

/** Makes every node count its steps. */
export function countSteps(tree: unknown, work: ConditionWork): void {
  for (const node of nodesOf(tree)) {
    let { evaluate } = node;
    const counted = (...args: unknown[]) => {
      work.countStep();
      return evaluate.apply(node, args);
    };
    // At its first evaluation a node replaces its `evaluate`.
    const replace = (faster: SyntaxNode['evaluate']) => {
      evaluate = faster;
    };
    Object.defineProperty(node, 'evaluate', { get: () => counted, set: replace });
  }
}

function nodesOf(tree: unknown): readonly SyntaxNode[] {
  if (Array.isArray(tree)) return tree.flatMap(nodesOf);
  return isNode(tree) ? [tree, ...nodesOf(tree.args)] : [];
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
