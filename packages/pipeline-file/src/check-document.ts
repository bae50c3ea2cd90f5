/**
 * Reports all problems of a text, sorted by position: syntax, schema and semantic rules. After a syntax error, only
 * wrong values before the error are reported, because later content is unreliable.
 */
import type { z } from 'zod';
import { wellFormedPart } from './draft.js';
import { byPosition, type Finding, type Problem, pathText } from './problem.js';
import { compareWithSchema } from './schema-problems/schema-findings.js';
import { type LocatedNode, nodeAt, offsetAt } from './yaml/located-node.js';
import { readYaml, type YamlReading } from './yaml/read-yaml.js';

const MAX_FILE_BYTES = 1_048_576;

/** Schema and rules of a document. Rules check the well-formed part. */
export interface DocumentRules<Output> {
  readonly schema: z.ZodType<Output>;
  readonly semanticFindings: (wellFormed: unknown) => readonly Finding[];
}

/** `problemAt` locates later findings. */
export type CheckedDocument<Output> =
  | {
      readonly kind: 'valid';
      readonly output: Output;
      readonly warnings: readonly Problem[];
      readonly problemAt: (finding: Finding) => Problem;
    }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

export function checkDocument<Output>(
  text: string,
  what: string,
  rules: DocumentRules<Output>,
): CheckedDocument<Output> {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_FILE_BYTES)
    return invalidAsAWhole(`expected at most ${MAX_FILE_BYTES} bytes, found ${bytes} in ${what}`);
  const reading = readYaml(text);
  const { root } = reading;
  if (root === undefined && reading.findings.length === 0)
    return invalidAsAWhole(`expected a mapping, ${what} is empty`);
  const problemAt = (finding: Finding) => problemOf(finding, reading, text);
  const { findings, output } = findingsOf(reading, rules);
  const sorted = (severity: 'warning' | undefined) =>
    findings
      .filter((finding) => finding.severity === severity)
      .map(problemAt)
      .sort(byPosition);
  const problems = sorted(undefined);
  if (problems.length > 0 || output === undefined) return { kind: 'invalid', problems };
  return { kind: 'valid', output: output.value, warnings: sorted('warning'), problemAt };
}

function findingsOf<Output>(
  reading: YamlReading,
  rules: DocumentRules<Output>,
): { readonly findings: readonly Finding[]; readonly output?: { readonly value: Output } } {
  const { root, findings, firstSyntaxErrorAt } = reading;
  if (root === undefined) return { findings };
  const result = compareWithSchema(rules.schema, root);
  const schemaFindings = result.kind === 'differs' ? result.findings : [];
  if (firstSyntaxErrorAt < Number.POSITIVE_INFINITY) {
    const isSure = (finding: Finding) =>
      finding.missing !== true &&
      offsetOf(finding, root) < firstSyntaxErrorAt &&
      endOffsetOf(finding, root) <= firstSyntaxErrorAt;
    return { findings: [...findings, ...schemaFindings.filter(isSure)] };
  }
  const semantic = rules.semanticFindings(wellFormedPart(root.value, schemaFindings));
  return {
    findings: [...findings, ...schemaFindings, ...semantic],
    ...(result.kind === 'matches' ? { output: { value: result.output } } : {}),
  };
}

const offsetOf = (finding: Finding, root: LocatedNode): number =>
  finding.offset ?? offsetAt(root, finding.path, finding.place ?? 'value');

/** A value that contains the error is not sure to be wrong; its key may be. */
const endOffsetOf = ({ path, place }: Finding, root: LocatedNode): number =>
  place === 'key' ? 0 : (nodeAt(root, path)?.endOffset ?? 0);

function problemOf(finding: Finding, { root, lines }: YamlReading, text: string): Problem {
  const offset = finding.offset ?? (root === undefined ? 0 : offsetOf(finding, root) + insideOf(finding, root, text));
  const { line, col } = lines.linePos(offset);
  return {
    path: pathText(finding.path),
    line: Math.max(1, line),
    column: Math.max(1, col),
    message: finding.message,
    ...(finding.suggestion === undefined ? {} : { suggestion: finding.suggestion }),
  };
}

/** Offset inside a text value; 0 for escaped or folded text. */
function insideOf({ path, inside = 0 }: Finding, root: LocatedNode, text: string): number {
  const node = nodeAt(root, path);
  if (inside === 0 || typeof node?.value !== 'string') return 0;
  const quote = /["']/.test(text.charAt(node.offset)) ? 1 : 0;
  return text.startsWith(node.value, node.offset + quote) ? quote + inside : 0;
}

const invalidAsAWhole = (message: string) =>
  ({ kind: 'invalid', problems: [{ path: '', line: 1, column: 1, message }] }) as const;
