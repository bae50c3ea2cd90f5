/** Problems of the YAML of a page, by the parser of pipeline files and by schemas of Kubernetes definitions. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parsePipelineFile } from '../../packages/pipeline-file/src/index.js';
import { REPOSITORY } from './code-blocks.js';

/** Part of a structural schema. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

export interface Definition {
  readonly kind?: string;
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: SchemaNode } }[];
  };
}

type YamlObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is YamlObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function documentsOf(text: string): {
  readonly values: readonly unknown[];
  readonly problems: readonly string[];
} {
  const documents = parseAllDocuments(text);
  return {
    values: documents.map((document) => document.toJS() as unknown),
    problems: documents.flatMap(({ errors }) => errors.map(({ message }) => message.split('\n')[0] ?? message)),
  };
}

/** Problems as an API server with strict validation names them; `isPart`: required fields may be missing. */
export function schemaProblems(value: unknown, schema: SchemaNode, isPart = false, at = ''): readonly string[] {
  if (schema['x-kubernetes-int-or-string']) return ofType(value, ['integer', 'string'], at);
  const wrong = schema.type === undefined ? [] : ofType(value, [schema.type], at);
  if (wrong.length > 0) return wrong;
  const choice =
    schema.enum === undefined || schema.enum.includes(value)
      ? []
      : [`${at}: ${String(value)} is none of ${schema.enum.join(', ')}`];
  if (Array.isArray(value))
    return value.flatMap((item, index) => schemaProblems(item, schema.items ?? {}, isPart, `${at}[${index}]`));
  if (!isObject(value)) return choice;
  const { properties = {}, additionalProperties, required = [] } = schema;
  const lacking = isPart ? [] : required.filter((name) => !Object.hasOwn(value, name));
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true || additionalProperties === true;
  const fields = Object.entries(value).flatMap(([name, each]) => {
    const known = properties[name] ?? (isObject(additionalProperties) ? additionalProperties : undefined);
    if (known !== undefined) return schemaProblems(each, known, isPart, `${at}.${name}`);
    return isOpen || schema.type === undefined ? [] : [`${at}.${name}: unknown field`];
  });
  return [...lacking.map((name) => `${at}.${name}: missing`), ...fields];
}

function ofType(value: unknown, types: readonly string[], at: string): readonly string[] {
  const is = (type: string): boolean => {
    if (type === 'array') return Array.isArray(value);
    if (type === 'object') return isObject(value);
    if (type === 'integer') return Number.isInteger(value);
    return typeof value === type;
  };
  return types.some(is) ? [] : [`${at}: expected ${types.join(' or ')}`];
}

let own: SchemaNode | undefined;

/** Schema of our custom resource. */
function ownSchema(): SchemaNode {
  own ??= readOwnSchema();
  return own;
}

function readOwnSchema(): SchemaNode {
  const text = readFileSync(path.join(REPOSITORY, 'deploy/kubernetes-definition/crd.yaml'), 'utf8');
  return schemaOf(documentsOf(text).values[0] as Definition, 'v1alpha1') ?? {};
}

/** Schema of a version, in which the fields that every object has are known. */
export function schemaOf({ spec }: Definition, version: string): SchemaNode | undefined {
  const schema = spec.versions.find(({ name }) => name === version)?.schema.openAPIV3Schema;
  if (schema === undefined) return undefined;
  const known = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: {} };
  return { ...schema, properties: { ...schema.properties, ...known } };
}

/** Places of a pipeline file from which a page may show a part. */
function partSchemas(root: SchemaNode): readonly SchemaNode[] {
  const spec = root.properties?.['spec'] ?? {};
  const stage = spec.properties?.['stages']?.items ?? {};
  const variant = stage.properties?.['variants']?.items ?? {};
  const edge = spec.properties?.['edges']?.items ?? {};
  return [root, spec, stage, variant, edge];
}

/** Problems of YAML that is meant for Equipoise. Other objects are left to their own definitions. */
export function ownYamlProblems(text: string): readonly string[] {
  const { values, problems } = documentsOf(text);
  return problems.length > 0 ? problems : values.flatMap((value) => ownProblems(value, text));
}

function ownProblems(value: unknown, text: string): readonly string[] {
  if (!isObject(value)) return ['expected an object'];
  const { apiVersion, kind } = value;
  if (typeof apiVersion === 'string') {
    if (!apiVersion.startsWith('equipoise.dev/') || kind !== 'InferencePipeline') return [];
    const result = parsePipelineFile(text, { fileName: 'page', baseDir: REPOSITORY });
    const ofFile = result.kind === 'valid' ? [] : result.problems.map(({ path: at, message }) => `${at}: ${message}`);
    return [...ofFile, ...schemaProblems(value, ownSchema())];
  }
  // Configuration of another program names it in its first line.
  if (text.startsWith('# ')) return [];
  const place = partSchemas(ownSchema()).find(({ properties = {} }) =>
    Object.keys(value).every((name) => Object.hasOwn(properties, name)),
  );
  if (place === undefined) return [`${Object.keys(value).join(', ')}: no part of a pipeline file has these fields`];
  return schemaProblems(value, place, true);
}
