/**
 * Reads one YAML 1.2 (or JSON) document with positions. Reports all that is not plain data: syntax errors, duplicate
 * keys, tags, merge keys.
 */

import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  type YAMLError,
} from 'yaml';
import type { Finding, ValuePath } from '../problem.js';
import type { LocatedEntry, LocatedNode } from './located-node.js';

/** Content after `firstSyntaxErrorAt` (an offset) is unreliable. */
export interface YamlReading {
  readonly root: LocatedNode | undefined;
  readonly findings: readonly Finding[];
  readonly firstSyntaxErrorAt: number;
  readonly lines: LineCounter;
}

/** Maximum values read through aliases. A value counts at each use. */
const MAX_ALIASED_VALUES = 20_000;
const MAX_SYNTAX_ERRORS = 5;
const PLAIN_TAG = /^tag:yaml\.org,2002:(map|seq|str|int|float|bool|null)$/;

/** Never throws. */
export function readYaml(text: string): YamlReading {
  const lines = new LineCounter();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeepAt = tooDeepOffset(tokens);
  if (tooDeepAt !== undefined) {
    const finding = { path: [], offset: tooDeepAt, message: `expected at most ${MAX_DEPTH} levels of nesting` };
    return { root: undefined, findings: [finding], firstSyntaxErrorAt: tooDeepAt, lines };
  }
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
  const [document, second] = composer.compose(tokens, true, text.length);
  const errors = document?.errors ?? [];
  const syntax = syntaxFindings(errors, errors.length === 0 ? undefined : unclosedBracket(tokens), lines);
  const firstSyntaxErrorAt = syntax[0]?.offset ?? Number.POSITIVE_INFINITY;
  const reader = new NodeReader();
  const root = document?.contents ? reader.read(document.contents, { path: [], depth: 0, aliased: false }) : undefined;
  const readable = reader.findings.filter(({ offset = 0 }) => offset < firstSyntaxErrorAt);
  return { root, findings: [...syntax, ...readable, ...secondDocument(second)], firstSyntaxErrorAt, lines };
}

function secondDocument(document: Document.Parsed | undefined): Finding[] {
  if (document === undefined) return [];
  return [{ path: [], offset: document.range[0], message: 'expected one document, found a second one' }];
}

/**
 * Findings for the first syntax errors only: later errors mostly follow from them. The parser finds an unclosed bracket
 * lines later, so errors after the bracket are left out.
 */
function syntaxFindings(
  errors: readonly YAMLError[],
  unclosed: SyntaxProblem | undefined,
  lines: LineCounter,
): readonly Finding[] {
  const all = errors.map(({ pos, message }): SyntaxProblem => ({ offset: pos[0], message }));
  const first = unclosed === undefined ? all : [...all.filter(({ offset }) => offset < unclosed.offset), unclosed];
  const byLine = new Map<number, Finding>();
  for (const { offset, message } of first.toSorted((a, b) => a.offset - b.offset)) {
    const { line } = lines.linePos(offset);
    if (byLine.size === MAX_SYNTAX_ERRORS) break;
    if (!byLine.has(line)) byLine.set(line, { path: [], offset, message: `not valid YAML: ${message}` });
  }
  return [...byLine.values()];
}

interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
}

/**
 * The bracket that begins an error: that of the first wrong end. If there is none, the innermost bracket without an end,
 * in the first such value.
 */
function unclosedBracket(tokens: readonly CST.Token[]): SyntaxProblem | undefined {
  const open: CST.FlowCollection[] = [];
  forEachToken(tokens, (token) => {
    if (token.type === 'flow-collection' && !isClosed(token)) open.push(token);
    return true;
  });
  const wrongEndAt = ({ end: [end] }: CST.FlowCollection): number => end?.offset ?? Number.POSITIVE_INFINITY;
  const [wrong] = open.filter(({ end }) => end.length > 0).sort((a, b) => wrongEndAt(a) - wrongEndAt(b));
  const [first] = open.sort((a, b) => a.offset - b.offset);
  const found = wrong ?? (first && innermostOpen(first));
  if (found === undefined) return undefined;
  const [end] = found.end;
  const ends = end === undefined ? 'has no end' : `ends with "${end.source}"`;
  return { offset: found.offset, message: `this "${found.start.source}" ${ends}, expected "${closingOf(found)}"` };
}

const closingOf = ({ start }: CST.FlowCollection): string => (start.source === '{' ? '}' : ']');

const isClosed = (token: CST.FlowCollection): boolean => token.end[0]?.source === closingOf(token);

function innermostOpen(token: CST.FlowCollection): CST.FlowCollection {
  const last = token.items.at(-1);
  const child = last?.value ?? last?.key;
  return child?.type === 'flow-collection' && !isClosed(child) ? innermostOpen(child) : token;
}

interface Place {
  readonly path: ValuePath;
  readonly depth: number;
  readonly aliased: boolean;
}

class NodeReader {
  readonly findings: Finding[] = [];
  readonly #anchors = new Map<string, Node>();
  readonly #targets = new Map<Alias, Node | undefined>();
  #aliasedValues = 0;

  read(node: Node, place: Place): LocatedNode {
    const offset = node.range?.[0] ?? 0;
    if (place.aliased && !this.#mayExpand(place, offset)) return { value: undefined, offset };
    if (isAlias(node)) return this.#readAlias(node, place);
    if (node.anchor !== undefined && !place.aliased) this.#anchors.set(node.anchor, node);
    if (node.tag !== undefined && !PLAIN_TAG.test(node.tag))
      return this.#unreadable(place.path, offset, `expected plain data, found the tag ${node.tag}`);
    if (isMap(node))
      return { ...this.#readMapping(node.items as Pair<Node, Node | null>[], place, offset), ...endOf(node) };
    if (isSeq(node)) return { ...this.#readList(node.items as Node[], place, offset), ...endOf(node) };
    if (isScalar(node))
      return {
        value: node.value,
        offset,
        ...endOf(node),
        ...(node.source === undefined ? {} : { source: node.source }),
      };
    return this.#unreadable(place.path, offset, 'expected plain data');
  }

  #readAlias(alias: Alias, { path, depth }: Place): LocatedNode {
    if (!this.#targets.has(alias)) this.#targets.set(alias, this.#anchors.get(alias.source));
    const target = this.#targets.get(alias);
    const offset = alias.range?.[0] ?? 0;
    if (target === undefined)
      return this.#unreadable(path, offset, `the alias *${alias.source} has no anchor &${alias.source} before it`);
    return this.read(target, { path, depth: depth + 1, aliased: true });
  }

  /** True if an alias may be expanded. After too many values it reports once and returns false, so recursion ends. */
  #mayExpand({ path, depth }: Place, offset: number): boolean {
    if (this.#aliasedValues > MAX_ALIASED_VALUES) return false;
    this.#aliasedValues = depth > MAX_DEPTH ? MAX_ALIASED_VALUES + 1 : this.#aliasedValues + 1;
    if (this.#aliasedValues <= MAX_ALIASED_VALUES) return true;
    const limits = `${MAX_ALIASED_VALUES} values or ${MAX_DEPTH} levels`;
    this.findings.push({ path, offset, message: `expected aliases that expand to at most ${limits}, found more` });
    return false;
  }

  #readMapping(pairs: readonly Pair<Node, Node | null>[], place: Place, offset: number): LocatedNode {
    const entries = new Map<string, LocatedEntry>();
    const value: Record<string, unknown> = {};
    for (const pair of pairs) {
      const key = this.#readKey(pair.key, place);
      if (key === undefined) continue;
      const keyOffset = pair.key.range?.[0] ?? offset;
      const path = [...place.path, key];
      if (entries.has(key)) {
        this.findings.push({ path, offset: keyOffset, message: `the key "${key}" is written twice in one mapping` });
        continue;
      }
      const node = isEmptyValue(pair.value)
        ? { value: null, offset: keyOffset, source: '' }
        : this.read(pair.value, { ...place, path, depth: place.depth + 1 });
      entries.set(key, { keyOffset, node });
      value[key] = node.value;
    }
    return { value, offset, entries };
  }

  #readKey(key: Node, { path }: Place): string | undefined {
    const offset = key.range?.[0] ?? 0;
    const text = isScalar(key) && key.value !== null ? (key.source ?? String(key.value)) : undefined;
    if (text === undefined) this.#unreadable(path, offset, 'expected a key that is text');
    else if (text === '<<') this.#unreadable(path, offset, 'merge keys (<<) are not supported: write the fields out');
    else if (text === '__proto__') this.#unreadable(path, offset, 'the key __proto__ is not allowed');
    else return text;
    return undefined;
  }

  #readList(nodes: readonly Node[], place: Place, offset: number): LocatedNode {
    const items = nodes.map((node, index) =>
      this.read(node, { ...place, path: [...place.path, index], depth: place.depth + 1 }),
    );
    return { value: items.map((item) => item.value), offset, items };
  }

  #unreadable(path: ValuePath, offset: number, message: string): LocatedNode {
    this.findings.push({ path, offset, message });
    return { value: undefined, offset };
  }
}

const endOf = ({ range }: Node): { readonly endOffset?: number } => (range ? { endOffset: range[1] } : {});

function isEmptyValue(node: Node | null): node is null {
  return node === null || (isScalar(node) && node.value === null && node.source === '' && node.tag === undefined);
}

/** Maximum nesting levels; a pipeline file needs about ten. */
const MAX_DEPTH = 64;

/** Offset of a token below `MAX_DEPTH` levels. The composer of `yaml` would exhaust the stack. */
function tooDeepOffset(tokens: readonly CST.Token[]): number | undefined {
  let tooDeepAt: number | undefined;
  forEachToken(tokens, (token, depth) => {
    if (depth > MAX_DEPTH) tooDeepAt = token.offset;
    return tooDeepAt === undefined;
  });
  return tooDeepAt;
}

/** Visits all tokens until `visit` returns false. Not recursive. */
function forEachToken(tokens: readonly CST.Token[], visit: (token: CST.Token, depth: number) => boolean): void {
  const open = [...tokens];
  const depths = open.map(() => 0);
  for (let token = open.pop(); token !== undefined; token = open.pop()) {
    const depth = depths.pop() as number;
    if (!visit(token, depth)) return;
    const put = (child: CST.Token | null | undefined): void => {
      if (child == null) return;
      open.push(child);
      depths.push(depth + 1);
    };
    if (token.type === 'document') put(token.value);
    else if ('items' in token)
      for (const { key, value } of token.items) {
        put(key);
        put(value);
      }
  }
}
