/**
 * Compiles conditions of `when`: CEL expressions of type bool or dyn. `output` holds the tensors of the edge's `from`
 * stage by name, `shape` their shapes, `threshold` the threshold of the edge if it has one.
 */
import { createRequire } from 'node:module';
import { AppError, type TensorMap } from '@equipoise/core/model';
import type { Environment, ParseError } from '@marcbachmann/cel-js';
import { ConditionWork, countSteps, offsetOfRegularExpression } from './bounded-work.js';
import { tensorShapes, tensorValues } from './tensor-values.js';

export interface Condition {
  /** Throws CONDITION_FAILED if evaluation fails, such as for a missing tensor. */
  holds(output: TensorMap, threshold?: number): boolean;
  /** Steps and reads of all evaluations. */
  readonly work: number;
}

const NO_REGULAR_EXPRESSIONS =
  'expected a condition without regular expressions, found `matches`. Use ==, in, contains, startsWith or endsWith';

/** Condition, or the reason why it is invalid; `offset` counts characters of the text. */
export type CompiledCondition =
  | { readonly kind: 'valid'; readonly condition: Condition }
  | { readonly kind: 'invalid'; readonly message: string; readonly offset: number };

const known = new Map<boolean, Environment>();

/** Loads CEL at the first condition: most pipelines have none. */
function environment(hasThreshold: boolean): Environment {
  const before = known.get(hasThreshold);
  if (before !== undefined) return before;
  const cel = createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js');
  const plain = new cel.Environment({ unlistedVariablesAreDyn: false })
    .registerVariable('output', 'map<string, dyn>')
    .registerVariable('shape', 'map<string, list<int>>');
  const complete = hasThreshold ? plain.registerVariable('threshold', 'double') : plain;
  known.set(hasThreshold, complete);
  return complete;
}

/** Never throws. `hasThreshold`: the condition may use `threshold`. */
export function compileCondition(text: string, hasThreshold = false): CompiledCondition {
  const cel = environment(hasThreshold);
  try {
    const expression = cel.parse(text);
    const { error, type } = expression.check();
    if (error !== undefined) return invalid(error);
    if (type !== 'bool' && type !== 'dyn')
      return {
        kind: 'invalid',
        message: `expected a condition that is true or false, found one of type ${type}`,
        offset: 0,
      };
    const offset = offsetOfRegularExpression(expression.ast);
    if (offset !== undefined) return { kind: 'invalid', message: NO_REGULAR_EXPRESSIONS, offset };
    return { kind: 'valid', condition: new BoundedCondition(text, expression) };
  } catch (error) {
    return invalid(error);
  }
}

type Expression = ReturnType<Environment['parse']>;

class BoundedCondition implements Condition {
  readonly #text: string;
  readonly #expression: Expression;
  readonly #work = new ConditionWork();

  constructor(text: string, expression: Expression) {
    this.#text = text;
    this.#expression = expression;
    countSteps(expression.ast, this.#work);
  }

  get work(): number {
    return this.#work.total;
  }

  holds(output: TensorMap, threshold?: number): boolean {
    this.#work.begin();
    let result: unknown;
    try {
      const values = { output: tensorValues(output, this.#work), shape: tensorShapes(output) };
      result = this.#expression(threshold === undefined ? values : { ...values, threshold });
    } catch (error) {
      throw undecided(this.#text, reasonOf(error), error);
    }
    if (typeof result !== 'boolean') throw undecided(this.#text, 'it is neither true nor false');
    return result;
  }
}

function invalid(error: unknown): CompiledCondition {
  return {
    kind: 'invalid',
    message: `expected a CEL expression over output and shape: ${reasonOf(error)}`,
    offset: (error as ParseError).range?.start ?? 0,
  };
}

const MOST_QUOTED = 200;

function undecided(text: string, reason: string, cause?: unknown): AppError {
  const condition = text.slice(0, MOST_QUOTED);
  return new AppError('CONDITION_FAILED', `The condition "${condition}" cannot be decided: ${reason}.`, {
    details: { condition },
    cause,
  });
}

/** The library's own message also quotes the expression over several lines. */
function reasonOf(error: unknown): string {
  const { summary } = error as { readonly summary?: unknown };
  const reason = typeof summary === 'string' ? summary : error instanceof Error ? error.message : 'it fails';
  return reason.slice(0, MOST_QUOTED);
}
