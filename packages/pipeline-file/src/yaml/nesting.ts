/**
 * How deep a YAML text nests, found without recursion. The composer of the `yaml` package recurses once a level, so a text
 * of a hundred thousand brackets would exhaust the stack before it could be refused.
 */
import type { CST } from 'yaml';

/** Deepest nesting that is read; a pipeline file needs about ten levels. */
export const MAX_DEPTH = 64;

/** Offset of the first token that lies deeper than `MAX_DEPTH`, or undefined. */
export function tooDeepOffset(tokens: readonly CST.Token[]): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > MAX_DEPTH) return token.offset;
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return undefined;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (!('items' in token)) return [];
  return token.items.flatMap(({ key, value }) => [key, value].filter((child) => child != null));
}
