/**
 * Checks a custom resource like an API server, as far as our definition needs it. Fills in defaults, removes unknown
 * fields and checks types and bounds. Evaluates CEL rules if the schema holds. A suite compares it with a real API
 * server.
 */
import { Environment } from '@marcbachmann/cel-js';
import type { StructuralSchema, ValidationRule } from './structural-schema.js';

/** Reason for a refusal, with its field. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

type Mapping = Record<string, unknown>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Object as stored: with defaults, without unknown fields. */
export function stored(schema: StructuralSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => stored(schema.items ?? keepAll, entry));
  if (!isMapping(value)) return value;
  const { properties, additionalProperties } = schema;
  if (properties === undefined) {
    if (additionalProperties === undefined) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, stored(additionalProperties, entry)]));
  }
  const fields: Mapping = {};
  for (const [name, child] of Object.entries(properties)) {
    const given = value[name] === undefined ? structuredClone(child.default) : value[name];
    if (given !== undefined) fields[name] = stored(child, given);
  }
  return fields;
}

const keepAll: StructuralSchema = { 'x-kubernetes-preserve-unknown-fields': true };

/** All violations of schema and rules in a stored object. Rules run only on valid fields. */
export function problemsOf(schema: StructuralSchema, value: unknown, field = ''): readonly FieldProblem[] {
  const problem = (message: string): FieldProblem => ({ field, message });
  const wrong = typeProblem(schema, value);
  if (wrong !== undefined) return [problem(wrong)];
  const own = [...valueProblems(schema, value)].map(problem);
  const below = isMapping(value) ? fieldProblems(schema, value, field) : entryProblems(schema, value, field);
  if (own.length + below.length > 0) return [...own, ...below];
  return (schema['x-kubernetes-validations'] ?? []).flatMap((rule) => {
    const broken = brokenRule(rule, schema, value);
    return broken === undefined ? [] : [{ field: `${field}${rule.fieldPath ?? ''}`, message: broken }];
  });
}

function typeProblem({ type, nullable }: StructuralSchema, value: unknown): string | undefined {
  if (type === undefined || (value === null && nullable)) return undefined;
  const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  const fits = found === type || (type === 'integer' && Number.isInteger(value));
  return fits ? undefined : `must be of type ${type}: "${found}"`;
}

function* valueProblems(schema: StructuralSchema, value: unknown): Generator<string> {
  const { enum: allowed } = schema;
  if (allowed !== undefined && !allowed.includes(value)) {
    const listed = allowed.map((each) => JSON.stringify(each)).join(', ');
    yield `Unsupported value: ${JSON.stringify(value)}: supported values: ${listed}`;
  }
  if (typeof value === 'number') yield* numberProblems(schema, value);
  if (typeof value === 'string') yield* textProblems(schema, value);
  if (Array.isArray(value)) yield* listProblems(schema, value);
}

function* numberProblems(schema: StructuralSchema, value: number): Generator<string> {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum } = schema;
  const isAbove = exclusiveMinimum ? value > minimum : value >= minimum;
  const isBelow = exclusiveMaximum ? value < maximum : value <= maximum;
  if (!isAbove) yield `should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`;
  if (!isBelow) yield `should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`;
}

function* textProblems({ minLength = 0, maxLength = Infinity, pattern }: StructuralSchema, value: string) {
  if (value.length < minLength) yield `should be at least ${minLength} chars long`;
  if (value.length > maxLength) yield `may not be more than ${maxLength} bytes`;
  if (pattern !== undefined && !new RegExp(pattern).test(value)) yield `should match '${pattern}'`;
}

function* listProblems(schema: StructuralSchema, list: readonly unknown[]): Generator<string> {
  const { minItems = 0, maxItems = Infinity, 'x-kubernetes-list-map-keys': keys } = schema;
  if (list.length < minItems) yield `should have at least ${minItems} items`;
  if (list.length > maxItems) yield `must have at most ${maxItems} items`;
  if (keys === undefined) return;
  const names = list.map((entry) => JSON.stringify(keys.map((key) => (entry as Mapping)[key])));
  const repeated = list.find((_, index) => names.indexOf(names[index] ?? '') < index) as Mapping | undefined;
  if (repeated !== undefined)
    yield `Duplicate value: ${JSON.stringify(Object.fromEntries(keys.map((key) => [key, repeated[key]])))}`;
}

function fieldProblems(schema: StructuralSchema, value: Mapping, field: string): readonly FieldProblem[] {
  const { properties, required = [], additionalProperties } = schema;
  const missing = required
    .filter((name) => value[name] === undefined)
    .map((name) => ({ field: below(field, name), message: 'Required value' }));
  const children = Object.entries(value).flatMap(([name, entry]) => {
    const child = properties?.[name] ?? additionalProperties;
    return child === undefined ? [] : problemsOf(child, entry, below(field, name));
  });
  return [...missing, ...children];
}

const below = (field: string, name: string) => (field === '' ? name : `${field}.${name}`);

function entryProblems({ items }: StructuralSchema, value: unknown, field: string): readonly FieldProblem[] {
  if (!Array.isArray(value) || items === undefined) return [];
  return value.flatMap((entry, index) => problemsOf(items, entry, `${field}[${index}]`));
}

const cel = new Environment({ unlistedVariablesAreDyn: true }).registerFunction({
  name: 'sum',
  receiverType: 'list',
  returnType: 'double',
  handler: (list: readonly number[]) => list.reduce((sum, each) => sum + each, 0),
  params: [],
});

/** Message of the API server for a broken rule. */
function brokenRule(
  { rule, message, messageExpression }: ValidationRule,
  schema: StructuralSchema,
  value: unknown,
): string | undefined {
  const scope = { self: celValue(schema, value) };
  if (cel.evaluate(rule, scope) === true) return undefined;
  return messageExpression === undefined ? message : String(cel.evaluate(messageExpression, scope));
}

/** Value in the types of its schema: `integer` numbers are CEL ints, others doubles. */
function celValue(schema: StructuralSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => celValue(schema.items ?? keepAll, entry));
  if (schema.type === 'integer') return BigInt(value as number);
  if (!isMapping(value)) return value;
  const fields = Object.entries(value).map(([name, entry]) => {
    return [name, celValue(schema.properties?.[name] ?? schema.additionalProperties ?? keepAll, entry)] as const;
  });
  return Object.fromEntries(fields);
}
