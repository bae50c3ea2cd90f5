/**
 * The conditions of `when`, in the Common Expression Language (CEL). Two variables are known: `output`, the tensors that the stage in
 * front of the edge gave, by name, and `shape`, their shapes. A condition must be a bool; what only shows when it is decided (a tensor
 * that is not there, a list compared with a number) is an AppError CONDITION_FAILED.
 */
import { AppError, type TensorMap } from '@equipoise/core/model';
import { Environment, type ParseError } from '@marcbachmann/cel-js';
import { tensorShapes, tensorValues } from './tensor-values.js';

/** A condition that can be decided. */
export interface Condition {
  /** Whether it holds for what a stage gave; throws AppError CONDITION_FAILED where it cannot be decided. */
  holds(output: TensorMap): boolean;
}

/** A condition, or what is wrong with its text; `offset` counts characters from the beginning of the text. */
export type CompiledCondition =
  | { readonly kind: 'valid'; readonly condition: Condition }
  | { readonly kind: 'invalid'; readonly message: string; readonly offset: number };

const environment = new Environment({ unlistedVariablesAreDyn: false })
  .registerVariable('output', 'map<string, dyn>')
  .registerVariable('shape', 'map<string, list<int>>');

/** Compiles the text of a condition; never throws. */
export function compileCondition(text: string): CompiledCondition {
  try {
    const expression = environment.parse(text);
    const { error, type } = expression.check();
    if (error !== undefined) return invalid(error);
    if (type !== 'bool' && type !== 'dyn')
      return {
        kind: 'invalid',
        message: `expected a condition that is true or false, found one of type ${type}`,
        offset: 0,
      };
    return { kind: 'valid', condition: { holds: (output) => decide(text, expression, output) } };
  } catch (error) {
    return invalid(error);
  }
}

function invalid(error: unknown): CompiledCondition {
  return {
    kind: 'invalid',
    message: `expected a CEL expression over output and shape: ${reasonOf(error)}`,
    offset: (error as ParseError).range?.start ?? 0,
  };
}

function decide(text: string, expression: (variables: Record<string, unknown>) => unknown, output: TensorMap): boolean {
  let result: unknown;
  try {
    result = expression({ output: tensorValues(output), shape: tensorShapes(output) });
  } catch (error) {
    throw undecided(text, reasonOf(error), error);
  }
  if (typeof result !== 'boolean') throw undecided(text, 'it is neither true nor false');
  return result;
}

const MOST_QUOTED = 200;

function undecided(text: string, reason: string, cause?: unknown): AppError {
  const condition = text.slice(0, MOST_QUOTED);
  return new AppError('CONDITION_FAILED', `The condition "${condition}" cannot be decided: ${reason}.`, {
    details: { condition },
    cause,
  });
}

/** The library's errors have a one-line summary; their messages quote the expression over several lines. */
function reasonOf(error: unknown): string {
  const { summary } = error as { readonly summary?: unknown };
  const reason = typeof summary === 'string' ? summary : error instanceof Error ? error.message : 'it fails';
  return reason.slice(0, MOST_QUOTED);
}
