/** Imports between files: static, type-only, dynamic, `import('…')` types and re-exports alike. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import type { ParsedFile } from './source-files.js';

/** One import, `from` the file that imports. */
export interface FileImport {
  readonly from: string;
  readonly to: string;
}

/** Module specifiers of a file, in the order of the text, each once. */
function listSpecifiers({ tree }: ParsedFile): string[] {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) found.add(specifier.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return [...found];
}

/** Imports by relative path between the given files; each pair once. */
export function listImports(files: readonly ParsedFile[]): FileImport[] {
  const known = new Set(files.map(({ file }) => file));
  return files.flatMap((parsed) =>
    listSpecifiers(parsed)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => resolveRelative(parsed.file, specifier))
      .filter((to) => known.has(to) && to !== parsed.file)
      .map((to) => ({ from: parsed.file, to })),
  );
}

/** The TypeScript file that a relative specifier leads to. */
export function resolveRelative(from: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** Source files of a package by the specifier of their entry, such as `@equipoise/core/plan`. */
export function readEntries(root: string, packageName: string): ReadonlyMap<string, string> {
  const folder = `packages/${packageName}`;
  const manifest = path.join(root, folder, 'package.json');
  if (!existsSync(manifest)) return new Map();
  const { name, exports = {} }: Manifest = JSON.parse(readFileSync(manifest, 'utf8'));
  return new Map(
    Object.entries(exports).flatMap(([subpath, conditions]): [string, string][] => {
      const source = typeof conditions === 'object' ? conditions['equipoise-source'] : undefined;
      return source === undefined ? [] : [[path.posix.join(name, subpath), path.posix.join(folder, source)]];
    }),
  );
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>> | string>>;
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return node.arguments[0];
  return undefined;
}
