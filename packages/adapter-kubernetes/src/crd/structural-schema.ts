/**
 * JSON Schema as a structural schema: every node has a type, alternatives define no fields, exclusive bounds are flags.
 * Fields of several types are left unchecked here; the operator checks them.
 */
import type { JsonSchemaNode } from '@equipoise/pipeline-file';

/** A rule in CEL over `self`; `fieldPath` is the field at fault. */
export interface ValidationRule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly fieldPath?: string;
}

export interface StructuralSchema {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly description?: string;
  readonly format?: 'int64' | 'date-time';
  readonly nullable?: true;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: true;
  readonly exclusiveMaximum?: true;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: StructuralSchema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly maxProperties?: number;
  readonly additionalProperties?: StructuralSchema;
  readonly 'x-kubernetes-list-type'?: 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** Additions by path (`spec.stages[].variants[]`). */
export interface Additions {
  readonly maxItems: Readonly<Record<string, number>>;
  readonly maxLength: Readonly<Record<string, number>>;
  readonly listKeys: Readonly<Record<string, readonly string[]>>;
  readonly rules: Readonly<Record<string, readonly ValidationRule[]>>;
  /** `undefined` removes a default. */
  readonly defaults: Readonly<Record<string, unknown>>;
}

/** Default bounds of sizes; they limit the cost of rules. */
const USUAL_MAX = { items: 128, length: 1024, properties: 64 } as const;

export function toStructural(node: JsonSchemaNode, path: string, additions: Additions): StructuralSchema {
  const alternatives = node.anyOf ?? [];
  const shared = { ...descriptionOf(node), ...defaultOf(node, path, additions) };
  if (alternatives.length === 0) {
    return withInnerDefaults({ ...shared, ...typeSchema(node, path, additions), ...rulesAt(path, additions) });
  }
  const types = new Set(alternatives.map(({ type }) => type));
  if (types.size > 1 || !types.has('object')) return { ...shared, 'x-kubernetes-preserve-unknown-fields': true };
  return { ...shared, ...oneOfObjects(alternatives, path, additions) };
}

const descriptionOf = ({ description }: JsonSchemaNode) => (description === undefined ? {} : { description });

function defaultOf(node: JsonSchemaNode, path: string, { defaults }: Additions): Pick<StructuralSchema, 'default'> {
  const value = Object.hasOwn(defaults, path) ? defaults[path] : node.default;
  return value === undefined ? {} : { default: value };
}

/** Rules see a default exactly as written, so it must contain the defaults of its own fields. */
function withInnerDefaults(schema: StructuralSchema): StructuralSchema {
  const { default: given, properties } = schema;
  if (typeof given !== 'object' || given === null || Array.isArray(given) || properties === undefined) return schema;
  const inner = Object.entries(properties).flatMap(([name, child]) =>
    child.default === undefined ? [] : [[name, child.default] as const],
  );
  return { ...schema, default: { ...Object.fromEntries(inner), ...given } };
}

function rulesAt(path: string, { rules }: Additions): Pick<StructuralSchema, 'x-kubernetes-validations'> {
  const own = rules[path];
  return own === undefined ? {} : { 'x-kubernetes-validations': own };
}

function typeSchema(node: JsonSchemaNode, path: string, additions: Additions): StructuralSchema {
  switch (node.type) {
    case 'object':
      return objectSchema(node, path, additions);
    case 'array':
      return arraySchema(node, path, additions);
    case 'number':
    case 'integer':
      return { type: node.type, ...(node.type === 'integer' ? { format: 'int64' as const } : {}), ...boundsOf(node) };
    case 'boolean':
      return { type: 'boolean' };
    case 'string':
      return stringSchema(node, path, additions);
    default:
      return { 'x-kubernetes-preserve-unknown-fields': true };
  }
}

function objectSchema(node: JsonSchemaNode, path: string, additions: Additions): StructuralSchema {
  const { properties, required = [], additionalProperties } = node;
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, child]) => {
      return [name, toStructural(child, path === '' ? name : `${path}.${name}`, additions)] as const;
    });
    return { type: 'object', ...(required.length === 0 ? {} : { required }), properties: Object.fromEntries(fields) };
  }
  if (typeof additionalProperties !== 'object' || additionalProperties.type === undefined)
    return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const values = toStructural(additionalProperties, `${path}{}`, additions);
  return { type: 'object', maxProperties: USUAL_MAX.properties, additionalProperties: values };
}

function arraySchema(node: JsonSchemaNode, path: string, additions: Additions): StructuralSchema {
  const keys = additions.listKeys[path];
  return {
    type: 'array',
    ...(node.minItems === undefined ? {} : { minItems: node.minItems }),
    maxItems: additions.maxItems[path] ?? node.maxItems ?? USUAL_MAX.items,
    items: toStructural(node.items ?? {}, `${path}[]`, additions),
    ...(keys === undefined ? {} : { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys }),
  };
}

function stringSchema(node: JsonSchemaNode, path: string, additions: Additions): StructuralSchema {
  const values = node.enum ?? (node.const === undefined ? undefined : [node.const]);
  if (values !== undefined) return { type: 'string', enum: values };
  return {
    type: 'string',
    ...(node.minLength === undefined ? {} : { minLength: node.minLength }),
    maxLength: additions.maxLength[path] ?? USUAL_MAX.length,
    ...(node.pattern === undefined ? {} : { pattern: node.pattern }),
  };
}

function boundsOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: JsonSchemaNode): StructuralSchema {
  const excludesLow = exclusiveMinimum !== undefined && exclusiveMinimum >= (minimum ?? exclusiveMinimum);
  const excludesHigh = exclusiveMaximum !== undefined && exclusiveMaximum <= (maximum ?? exclusiveMaximum);
  const low = excludesLow ? exclusiveMinimum : minimum;
  const high = excludesHigh ? exclusiveMaximum : maximum;
  return {
    ...(low === undefined ? {} : { minimum: low }),
    ...(excludesLow ? { exclusiveMinimum: true } : {}),
    ...(high === undefined ? {} : { maximum: high }),
    ...(excludesHigh ? { exclusiveMaximum: true } : {}),
  };
}

/** An object with the fields of all alternatives; a rule requires the fields of exactly one. */
function oneOfObjects(alternatives: readonly JsonSchemaNode[], path: string, additions: Additions): StructuralSchema {
  const merged = Object.assign({}, ...alternatives.map(({ properties }) => properties)) as Record<
    string,
    JsonSchemaNode
  >;
  const keys = alternatives.map(({ required = [] }) => required);
  const given = keys.map((names) => `(${names.map((name) => `has(self.${name})`).join(' && ')} ? 1 : 0)`);
  const named = keys.map((names) => `{ ${names.join(', ')} }`).join(' or ');
  const rule = { rule: `${given.join(' + ')} == 1`, message: `expected either ${named}` };
  return {
    ...objectSchema({ type: 'object', properties: merged }, path, additions),
    'x-kubernetes-validations': [rule, ...(additions.rules[path] ?? [])],
  };
}
