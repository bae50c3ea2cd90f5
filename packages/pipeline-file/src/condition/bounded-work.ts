/**
 * Bounds the work of a condition, which runs on the serving thread. Evaluating a node is a step, and steps are limited,
 * also in nested loops. Regular expressions are rejected: their engine backtracks, and clients could exploit that.
 */

interface SyntaxNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly evaluate: (...args: unknown[]) => unknown;
}

/** Maximum steps of one evaluation, which take 25 to 50 ms. A batch may need several evaluations in one turn. */
const MOST_STEPS = 250_000;

/** Offset of the first regular expression; undefined if there is none. */
export function offsetOfRegularExpression(tree: unknown): number | undefined {
  return nodesOf(tree).find(({ op, args }) => op === 'rcall' && Array.isArray(args) && args[0] === 'matches')?.start;
}

/** Makes every node count its steps. Returns a function that resets the count. */
export function boundSteps(tree: unknown): () => void {
  let steps = 0;
  for (const node of nodesOf(tree)) {
    let { evaluate } = node;
    const counted = (...args: unknown[]) => {
      steps += 1;
      if (steps > MOST_STEPS) throw new Error(`it takes more than ${MOST_STEPS} steps`);
      return evaluate.apply(node, args);
    };
    // At its first evaluation a node replaces its `evaluate`.
    const replace = (faster: SyntaxNode['evaluate']) => {
      evaluate = faster;
    };
    Object.defineProperty(node, 'evaluate', { get: () => counted, set: replace });
  }
  return () => {
    steps = 0;
  };
}

function nodesOf(tree: unknown): readonly SyntaxNode[] {
  if (Array.isArray(tree)) return tree.flatMap(nodesOf);
  return isNode(tree) ? [tree, ...nodesOf(tree.args)] : [];
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
