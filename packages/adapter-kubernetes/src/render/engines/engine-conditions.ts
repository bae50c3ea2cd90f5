/**
 * Conditions of `when` in the terms of an engine. Engines know much less than CEL, so only few forms exist: the rest is
 * refused.
 */

/** A condition on one tensor. `compare` looks at its first value, or at all if `isAny`. */
export type SimpleCondition =
  | { readonly kind: 'always' }
  | { readonly kind: 'has'; readonly tensor: string }
  | {
      readonly kind: 'compare';
      readonly tensor: string;
      readonly operator: string;
      readonly literal: string;
      readonly isAny: boolean;
    };

const NAME = '([A-Za-z_][A-Za-z0-9_]*)';
const OPERATOR = '(==|!=|<=|>=|<|>)';
const LITERAL = '(-?\\d+(?:\\.\\d+)?|"[^"\\\\]*"|threshold)';
const HAS = new RegExp(`^has\\(output\\.${NAME}\\)$`);
const COMPARE = new RegExp(`^output\\.${NAME}(?:\\[0\\])? ?${OPERATOR} ?${LITERAL}$`);
const EXISTS = new RegExp(`^output\\.${NAME}\\.exists\\((\\w+), ?(\\w+) ?${OPERATOR} ?${LITERAL}\\)$`);

/** Undefined for a condition of another form. `threshold` is the value of the plan. */
export function simpleCondition(condition: string, threshold: number | undefined): SimpleCondition | undefined {
  const text = condition.trim();
  if (text === 'true') return { kind: 'always' };
  const has = HAS.exec(text)?.[1];
  if (has !== undefined) return { kind: 'has', tensor: has };
  const compared = COMPARE.exec(text);
  const [, tensor, operator, literal] = compared ?? existsParts(text) ?? [];
  if (tensor === undefined || operator === undefined || literal === undefined) return undefined;
  const value = literal === 'threshold' ? threshold : literal;
  if (value === undefined) return undefined;
  return { kind: 'compare', tensor, operator, literal: String(value), isAny: compared === null };
}

function existsParts(text: string): readonly (string | undefined)[] | undefined {
  const [, tensor, bound, used, operator, literal] = EXISTS.exec(text) ?? [];
  return tensor === undefined || bound !== used ? undefined : [text, tensor, operator, literal];
}

/** Query of KServe's router on an answer; a condition holds if the query finds something. */
export function gjsonQuery(condition: SimpleCondition): string {
  if (condition.kind === 'always') return 'outputs';
  const tensor = `outputs.#(name=="${condition.tensor}")`;
  if (condition.kind === 'has') return tensor;
  const test = `${condition.operator}${condition.literal}`;
  return condition.isAny ? `${tensor}.data.#(${test})` : `${tensor}#|#(data.0${test})`;
}
