/**
 * Crumbs: small files with a single importer in the same folder, whose content a reader would rather find in the
 * importer. Alternatives that a registry lists (checks, forecasters, endpoints) are counted separately: there, the next
 * alternative is added as one more file.
 */
import path from 'node:path';
import ts from 'typescript';
import { groupBy } from './group-by.js';
import { type FileImport, resolveRelative } from './import-graph.js';
import { countLines, type ParsedFile } from './source-files.js';

/** A small file with its importer. */
export interface Crumb {
  readonly file: string;
  readonly importer: string;
  readonly lines: number;
  readonly isAlternative: boolean;
}

const CRUMB_LINES = 60;
const ALTERNATIVES = 3;

/** Files of at most 60 lines with exactly one importer, which is in the same folder. Imports by tests do not count. */
export function findCrumbs(files: readonly ParsedFile[], imports: readonly FileImport[]): Crumb[] {
  const byFile = new Map(files.map((parsed) => [parsed.file, parsed]));
  const importers = groupBy(imports, ({ to }) => to);
  const crumbs = files.flatMap(({ file, text }): Omit<Crumb, 'isAlternative'>[] => {
    const [only, ...others] = importers.get(file) ?? [];
    const lines = countLines(text);
    const isClose = only !== undefined && path.posix.dirname(only.from) === path.posix.dirname(file);
    return lines <= CRUMB_LINES && isClose && others.length === 0 ? [{ file, importer: only.from, lines }] : [];
  });
  const alternatives = new Map(
    [...new Set(crumbs.map(({ importer }) => importer))].map((importer) => [
      importer,
      alternativesOf(byFile.get(importer)),
    ]),
  );
  return crumbs.map((crumb) => ({
    ...crumb,
    isAlternative: alternatives.get(crumb.importer)?.has(crumb.file) ?? false,
  }));
}

/** Files that a registry lists: their names are in an array with at least three such names. */
function alternativesOf(registry: ParsedFile | undefined): ReadonlySet<string> {
  if (registry === undefined) return new Set();
  const sources = importedFrom(registry);
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    const listed = new Set(listedNames(node).flatMap((name) => sources.get(name) ?? []));
    if (listed.size >= ALTERNATIVES) for (const file of listed) found.add(file);
    ts.forEachChild(node, visit);
  };
  visit(registry.tree);
  return found;
}

/** Source file by imported name. */
function importedFrom({ file, tree }: ParsedFile): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const statement of tree.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
    const source = resolveRelative(file, statement.moduleSpecifier.text);
    for (const { name } of bindings.elements) sources.set(name.text, source);
  }
  return sources;
}

/** Names in the elements of an array: alone, called, or as a value of an object. */
function listedNames(node: ts.Node): string[] {
  return ts.isArrayLiteralExpression(node) ? node.elements.flatMap(namesIn) : [];
}

function namesIn(element: ts.Expression): string[] {
  if (ts.isIdentifier(element)) return [element.text];
  if (ts.isSpreadElement(element) || ts.isCallExpression(element)) return namesIn(element.expression);
  if (ts.isArrayLiteralExpression(element)) return element.elements.flatMap(namesIn);
  if (!ts.isObjectLiteralExpression(element)) return [];
  return element.properties.flatMap((property) => {
    if (ts.isShorthandPropertyAssignment(property)) return [property.name.text];
    return ts.isPropertyAssignment(property) ? namesIn(property.initializer) : [];
  });
}
