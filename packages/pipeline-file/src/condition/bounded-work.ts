/**
 * Bounds the work of a condition, which runs on the serving thread. Evaluating a node is a step, and steps are limited,
 * also in nested loops. Texts and lists that an operation takes add steps by their length, before it runs. Reads of
 * tensors are limited, too. Regular expressions are rejected: their engine backtracks, and clients could exploit that.
 */
import { types } from 'node:util';

interface SyntaxNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly evaluate: (...args: unknown[]) => unknown;
  /** Operation on evaluated operands: of a call a list of them first, else each by itself. */
  handle?: (...operands: unknown[]) => unknown;
}

/** Maximum steps of one evaluation, which take 25 to 50 ms. */
const MOST_STEPS = 250_000;
/** Maximum list entries that one evaluation may read, which takes about 20 ms. */
const MOST_READS = 50_000;
/** Characters of a text, or bytes, that count as a step. */
const STEP_CHARACTERS = 32;
/** The same for entries of a list that the condition made. */
const STEP_ENTRIES = 8;

/** Work of one condition. Both counts throw at their limit. */
export class ConditionWork {
  /** Steps and reads of all evaluations. */
  total = 0;
  #steps = 0;
  #reads = 0;
  /** Quantifiers go on after an error, so further steps throw the same one, which costs little. */
  #tooManySteps: Error | undefined;

  /** Begins an evaluation. */
  begin(): void {
    this.#steps = 0;
    this.#reads = 0;
    this.#tooManySteps = undefined;
  }

  countSteps(steps: number): void {
    this.total += Math.min(steps, MOST_STEPS);
    this.#steps += steps;
    this.#checkSteps();
  }

  countRead(): void {
    this.total += 1;
    this.#reads += 1;
    this.#checkSteps();
    if (this.#reads > MOST_READS) throw new Error(`it reads more than ${MOST_READS} entries; ask \`shape\` for sizes`);
  }

  /** Counts a text that is decoded. */
  countText(length: number): void {
    this.countSteps(Math.floor(length / STEP_CHARACTERS));
  }

  #checkSteps(): void {
    if (this.#steps <= MOST_STEPS) return;
    this.#tooManySteps ??= new Error(`it takes more than ${MOST_STEPS} steps`);
    throw this.#tooManySteps;
  }
}

/** Offset of the first regular expression; undefined if there is none. */
export function offsetOfRegularExpression(tree: unknown): number | undefined {
  return nodesOf(tree).find(({ op, args }) => op === 'rcall' && Array.isArray(args) && args[0] === 'matches')?.start;
}

/** Makes every node of a checked tree count its steps. */
export function countSteps(tree: unknown, work: ConditionWork): void {
  for (const node of nodesOf(tree)) {
    countEvaluation(node, work);
    countOperands(node, work);
  }
}

function countEvaluation(node: SyntaxNode, work: ConditionWork): void {
  let { evaluate } = node;
  const counted = (...args: unknown[]) => {
    work.countSteps(1);
    return evaluate.apply(node, args);
  };
  // At its first evaluation a node replaces its `evaluate`.
  const replace = (faster: SyntaxNode['evaluate']) => {
    evaluate = faster;
  };
  Object.defineProperty(node, 'evaluate', { get: () => counted, set: replace });
}

const CALLS = new Set(['call', 'rcall']);
const BINARY = new Set(['==', '!=', 'in', '+', '<', '<=', '>', '>=']);

function countOperands(node: SyntaxNode, work: ConditionWork): void {
  const { op, args, handle } = node;
  if (handle === undefined) return;
  if (CALLS.has(op)) {
    const [name] = args as [string];
    node.handle = (operands, ...rest) => {
      work.countSteps(Math.floor(callSteps(name, operands as readonly unknown[])));
      return handle(operands, ...rest);
    };
  } else if (BINARY.has(op)) {
    node.handle = (left, right, ...rest) => {
      work.countSteps(Math.floor(stepsOf(left) + stepsOf(right)));
      return handle(left, right, ...rest);
    };
  }
}

/** Steps of passing once over an operand. Tensors count when they are read. */
function stepsOf(operand: unknown): number {
  if (typeof operand === 'string' || operand instanceof Uint8Array) return operand.length / STEP_CHARACTERS;
  return Array.isArray(operand) && !types.isProxy(operand) ? operand.length / STEP_ENTRIES : 0;
}

/** Operations that make a value of about each character. */
const MAKERS = new Set(['split', 'json']);
const SEARCHES = new Set(['contains', 'indexOf', 'split']);
/** Engines search for a text up to this length in one pass, for a longer one in as many passes as it has characters. */
const LONGEST_IN_ONE_PASS = 250;

function callSteps(name: string, operands: readonly unknown[]): number {
  const [first, second] = operands;
  const length = lengthOf(second);
  const passes = name === 'lastIndexOf' || (SEARCHES.has(name) && length > LONGEST_IN_ONE_PASS) ? length : 0;
  const once = operands.reduce<number>((sum, operand) => sum + stepsOf(operand), 0);
  const made = MAKERS.has(name) ? lengthOf(first) : 0;
  // Its reader backtracks.
  const backtracked = name === 'duration' ? lengthOf(first) ** 2 : 0;
  return once + passes * stepsOf(first) + made + backtracked;
}

const lengthOf = (operand: unknown): number =>
  typeof operand === 'string' || operand instanceof Uint8Array ? operand.length : 0;

function nodesOf(tree: unknown): readonly SyntaxNode[] {
  if (Array.isArray(tree)) return tree.flatMap(nodesOf);
  return isNode(tree) ? [tree, ...nodesOf(tree.args)] : [];
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
