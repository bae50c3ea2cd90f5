/** Puts a call of `globalThis.equipoiseTickMark` at the entry of functions. */
import { createRequire } from 'node:module';

const ts = createRequire(import.meta.url)('typescript');

/** The text with `markOf(name)` as the argument of a call in every function for which `markOf` is defined. */
export function markFunctions(source, markOf) {
  const insertions = [];
  const visit = (node) => {
    const mark = ts.isFunctionLike(node) && node.body !== undefined ? markOf(node.name?.text) : undefined;
    if (mark !== undefined) insertions.push(...entryOf(node.body, `globalThis.equipoiseTickMark?.("${mark}")`));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('marked.js', source, ts.ScriptTarget.ES2023, true));
  return insertions
    .toSorted(([one], [other]) => other - one)
    .reduce((text, [at, inserted]) => text.slice(0, at) + inserted + text.slice(at), source);
}

/** Insertions into a block, or around the expression of an arrow function. */
function entryOf(body, call) {
  if (ts.isBlock(body)) return [[body.getStart() + 1, `${call};`]];
  return [
    [body.getStart(), `(${call}, `],
    [body.end, ')'],
  ];
}
