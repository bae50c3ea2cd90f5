/** Turns zod issues into findings. */
import type { z } from 'zod';
import { type Finding, pathText, type ValuePath } from '../problem.js';
import { describeExpected, type JsonSchemaNode, jsonSchemaOf } from '../schema/pipeline-json-schema.js';
import { fieldsOfRenderer } from '../schema/placement-schema.js';
import { type LocatedNode, nodeAt } from '../yaml/located-node.js';
import { correctionOf } from './correction.js';
import { nearestSpelling } from './nearest-spelling.js';

type SchemaResult<Output> =
  | { readonly kind: 'matches'; readonly output: Output }
  | { readonly kind: 'differs'; readonly findings: readonly Finding[] };

/** Checks a document; at most one finding per path. */
export function compareWithSchema<Output>(schema: z.ZodType<Output>, document: LocatedNode): SchemaResult<Output> {
  // A compiled parser does not pay for itself within one file.
  const parsed = schema.safeParse(document.value, { jitless: true });
  if (parsed.success) return { kind: 'matches', output: parsed.data };
  const byPath = new Map<string, Finding>();
  for (const issue of parsed.error.issues.flatMap((found) => chosenIssues(found, []))) {
    for (const finding of findingsOf(issue, jsonSchemaOf(schema), document)) {
      const key = pathText(finding.path);
      if (!byPath.has(key)) byPath.set(key, finding);
    }
  }
  return { kind: 'differs', findings: withoutMisspelled([...byPath.values()]) };
}

/** Drops a missing field if a misspelled field next to it is already reported. */
function withoutMisspelled(findings: readonly Finding[]): Finding[] {
  const sibling = ({ path }: Finding, key: string) => pathText([...path.slice(0, -1), key]);
  const meant = new Set(
    findings.flatMap((each) => (each.place === 'key' && each.suggestion ? [sibling(each, each.suggestion)] : [])),
  );
  return findings.filter(({ path, missing }) => missing !== true || !meant.has(pathText(path)));
}

interface Issue {
  readonly issue: z.core.$ZodIssue;
  readonly path: ValuePath;
}

/** Resolves an issue of a union: takes the issues of the alternative that has the value's kind. */
function chosenIssues(issue: z.core.$ZodIssue, parent: ValuePath): Issue[] {
  const path = [...parent, ...(issue.path as ValuePath)];
  if (issue.code !== 'invalid_union') return [{ issue, path }];
  const chosen = issue.errors.find((alternative) => !alternative.some(isWrongKind));
  return chosen === undefined ? [{ issue, path }] : chosen.flatMap((inner) => chosenIssues(inner, path));
}

const isWrongKind = (issue: z.core.$ZodIssue): boolean =>
  issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');

function findingsOf({ issue, path }: Issue, json: JsonSchemaNode, document: LocatedNode): Finding[] {
  const schema = schemaNodeAt(json, path, document.value);
  if (schema === undefined) return [{ path, message: issue.message }];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField([...path, key], schema));
  const found = nodeAt(document, path);
  if (found === undefined) return [missingField(path, schema)];
  return found.value === undefined ? [] : [wrongValue({ issue, path }, schema, found)];
}

function unknownField(path: ValuePath, schema: JsonSchemaNode): Finding {
  const key = String(path.at(-1));
  const owner = path.at(-2) === 'placement' ? fieldsOfRenderer[key] : undefined;
  if (owner !== undefined) return { path, message: `expected no "${key}" in placement: ${owner}`, place: 'key' };
  const known = Object.keys(schema.properties ?? schema.anyOf?.find(({ properties }) => properties)?.properties ?? {});
  const message = `unknown field "${key}", expected one of ${known.join(', ')}`;
  return { path, message, place: 'key', ...suggested(nearestSpelling(key, known)) };
}

function missingField(path: ValuePath, schema: JsonSchemaNode): Finding {
  const constant = schema.const === undefined ? undefined : `${path.at(-1)}: ${schema.const}`;
  const message = `missing field "${path.at(-1)}", expected ${describeExpected(schema)}`;
  return { path, message, missing: true, ...suggested(constant) };
}

function wrongValue({ issue, path }: Issue, schema: JsonSchemaNode, found: LocatedNode): Finding {
  const authored = issue.code === 'custom' || issue.code === 'invalid_format';
  const expected = authored ? issue.message : `expected ${describeExpected(schema)}`;
  const field = path.findLast((step) => typeof step === 'string') ?? '';
  const correction = correctionOf(schema, found, String(field));
  const hint = correction?.hint === undefined ? '' : ` (${correction.hint})`;
  const offered: unknown = issue.code === 'custom' ? issue.params?.['suggestion'] : undefined;
  const suggestion = typeof offered === 'string' ? offered : correction?.suggestion;
  return { path, message: `${expected}, found ${describeFound(found)}${hint}`, ...suggested(suggestion) };
}

const suggested = (suggestion: string | undefined): Pick<Finding, 'suggestion'> =>
  suggestion === undefined ? {} : { suggestion };

const LONGEST_QUOTE = 60;

function describeFound({ value, source }: LocatedNode): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  return source ?? String(value);
}

function quoted(text: string): string {
  return JSON.stringify(text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE)}…`);
}

/** Schema at a path. Unions are resolved by the value's kind. Undefined below values that have no schema. */
function schemaNodeAt(root: JsonSchemaNode, path: ValuePath, document: unknown): JsonSchemaNode | undefined {
  let node: JsonSchemaNode | undefined = root;
  let value: unknown = document;
  for (const step of path) {
    node = childOf(alternativeFor(node, value), step);
    value = (value as Record<string | number, unknown> | undefined)?.[step];
    if (node === undefined) return undefined;
  }
  return node;
}

function alternativeFor(node: JsonSchemaNode, value: unknown): JsonSchemaNode {
  const wanted = Array.isArray(value) ? 'array' : typeof value;
  return node.anyOf?.find(({ type }) => type === wanted || (type === 'integer' && wanted === 'number')) ?? node;
}

function childOf(node: JsonSchemaNode, step: string | number): JsonSchemaNode | undefined {
  if (typeof step === 'number') return node.items;
  if (node.properties !== undefined && Object.hasOwn(node.properties, step)) return node.properties[step];
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
}
