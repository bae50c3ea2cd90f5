/** Functions with a body: their lengths, and two idioms that only serve the formatter or the type checker. */
import ts from 'typescript';
import type { ParsedFile } from './source-files.js';

/** One function; `line` counts from 1. */
export interface FunctionBody {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly lines: number;
}

/** Spreads in a file. */
export interface SpreadCounts {
  /** `...{ a, b }`, which keeps several properties on one line. */
  readonly literal: number;
  /** `...(x !== undefined && { x })` and the like, which omit a property. */
  readonly conditional: number;
}

/** Functions, methods, accessors and arrow functions, nested ones included. */
export function listFunctions({ file, tree }: ParsedFile): FunctionBody[] {
  const found: FunctionBody[] = [];
  const lineOf = (at: number): number => tree.getLineAndCharacterOfPosition(at).line + 1;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const line = lineOf(node.getStart(tree));
      found.push({ file, line, name: nameOf(node, tree), lines: lineOf(node.end) - line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** Counts the spreads of object literals and of conditions. */
export function countSpreads({ tree }: ParsedFile): SpreadCounts {
  let literal = 0;
  let conditional = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isSpreadAssignment(node)) {
      const spread = ts.isParenthesizedExpression(node.expression) ? node.expression.expression : node.expression;
      if (ts.isObjectLiteralExpression(spread)) literal += 1;
      if (ts.isBinaryExpression(spread) || ts.isConditionalExpression(spread)) conditional += 1;
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { literal, conditional };
}

/** The value that a fraction `share` (0 to 1) of the sorted values do not exceed; 0 without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function nameOf(node: ts.SignatureDeclaration, tree: ts.SourceFile): string {
  if (node.name !== undefined) return node.name.getText(tree);
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText(tree);
  return '(anonymous)';
}
