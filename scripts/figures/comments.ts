/** Comments of a file: a run of line comments on consecutive lines is one comment. */
import ts from 'typescript';
import type { ParsedFile } from './source-files.js';

/** One comment; `line` counts from 1, `text` is without the marks of a comment. */
export interface Comment {
  readonly line: number;
  readonly isDoc: boolean;
  readonly text: string;
}

interface Range extends ts.CommentRange {
  readonly line: number;
  readonly endLine: number;
}

/** All comments in the order of the text. */
export function listComments({ text, tree }: ParsedFile): Comment[] {
  return joinRuns(commentRanges(tree), text).map((run) => ({
    line: run[0].line + 1,
    isDoc: text.startsWith('/**', run[0].pos),
    text: run.map(({ pos, end }) => stripMarks(text.slice(pos, end))).join('\n'),
  }));
}

/** Words of a comment: runs between white space that have a letter or a digit. */
export function countWords(comment: string): number {
  return comment.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

function commentRanges(tree: ts.SourceFile): Range[] {
  const found = new Map<number, ts.CommentRange>();
  const collect = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const range of ranges ?? []) found.set(range.pos, range);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    if (node.kind === ts.SyntaxKind.JSDocComment) return;
    const children = node.getChildren(tree);
    if (children.length === 0) {
      collect(ts.getLeadingCommentRanges(tree.text, node.pos));
      collect(ts.getTrailingCommentRanges(tree.text, node.end));
    }
    for (const child of children) visit(child);
  };
  visit(tree);
  const lineOf = (at: number): number => tree.getLineAndCharacterOfPosition(at).line;
  return [...found.values()]
    .toSorted((one, other) => one.pos - other.pos)
    .map((range) => ({ ...range, line: lineOf(range.pos), endLine: lineOf(range.end) }));
}

function joinRuns(ranges: readonly Range[], text: string): [Range, ...Range[]][] {
  const runs: [Range, ...Range[]][] = [];
  for (const range of ranges) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run !== undefined && before !== undefined && continues(before, range, text)) run.push(range);
    else runs.push([range]);
  }
  return runs;
}

function continues(before: Range, next: Range, text: string): boolean {
  return (
    [before, next].every(({ kind }) => kind === ts.SyntaxKind.SingleLineCommentTrivia) &&
    next.line === before.endLine + 1 &&
    text.slice(before.end, next.pos).trim() === ''
  );
}

function stripMarks(raw: string): string {
  if (raw.startsWith('//')) return raw.replace(/^\/\/+ ?/, '').trim();
  return raw
    .replace(/^\/\*+/, '')
    .replace(/\*+\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
}
