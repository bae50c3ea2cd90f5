/**
 * Nesting depth of a YAML text, found without recursion. The composer of `yaml` recurses per level, so deep texts would
 * exhaust the stack.
 */
import type { CST } from 'yaml';

/** Deepest accepted nesting; a pipeline file needs about ten levels. */
export const MAX_DEPTH = 64;

/** Offset of the first token deeper than `MAX_DEPTH`. */
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
