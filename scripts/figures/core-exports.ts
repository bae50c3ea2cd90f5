/** Names that the entries of core export, and their uses outside core. */
import ts from 'typescript';
import { resolveRelative } from './import-graph.js';
import type { ParsedFile } from './source-files.js';

/** One exported name of one entry. */
export interface ExportedName {
  readonly entry: string;
  readonly name: string;
  /** File and name of the declaration, which several entries may share. */
  readonly declaration: string;
  /** True if the entry exports it by `export *`. */
  readonly isWildcard: boolean;
}

/** Exports of all entries; a declaration has one name per entry that exports it. */
export interface CoreExports {
  readonly names: readonly ExportedName[];
  readonly entryFiles: ReadonlyMap<string, string>;
  /** `export *` statements in entries. */
  readonly wildcards: readonly string[];
}

/** Use of exported names outside core, by the specifier of an entry. */
export type NamesUsed = ReadonlyMap<string, ReadonlySet<string>>;

/** Exports of the entries of core; `files` are the production files of the checkout. */
export function listCoreExports(entryFiles: ReadonlyMap<string, string>, files: readonly ParsedFile[]): CoreExports {
  const byFile = new Map(files.map((parsed) => [parsed.file, parsed]));
  return {
    names: [...entryFiles].flatMap(([entry, file]) => exportsOf(file, byFile).map((found) => ({ entry, ...found }))),
    entryFiles,
    wildcards: [...new Set(entryFiles.values())].flatMap((file) => {
      const parsed = byFile.get(file);
      return parsed === undefined ? [] : wildcardsOf(parsed).map((specifier) => `${file}: export * from ${specifier}`);
    }),
  };
}

/** The file that declares an exported name. */
export function declaringFile({ declaration }: ExportedName): string {
  return declaration.split(' ')[0] ?? declaration;
}

/** Names exported by at least one entry and used through none. */
export function findUnusedExports({ names }: CoreExports, used: NamesUsed): ExportedName[] {
  const usedDeclarations = new Set(
    names.filter(({ entry, name }) => used.get(entry)?.has(name)).map(({ declaration }) => declaration),
  );
  return names.filter(({ declaration }) => !usedDeclarations.has(declaration));
}

/** Names that `files` import from entries of core. */
export function listNamesUsed(files: readonly ParsedFile[], entries: readonly string[]): NamesUsed {
  const used = new Map(entries.map((entry) => [entry, new Set<string>()]));
  for (const { tree } of files) collectUses(tree, used);
  return used;
}

function exportsOf(file: string, byFile: ReadonlyMap<string, ParsedFile>): Omit<ExportedName, 'entry'>[] {
  const parsed = byFile.get(file);
  if (parsed === undefined) return [];
  return parsed.tree.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) return reExports(file, statement, byFile);
    if (!isExported(statement)) return [];
    return declaredNames(statement).map((name) => ({ name, declaration: `${file} ${name}`, isWildcard: false }));
  });
}

function reExports(
  file: string,
  { moduleSpecifier, exportClause }: ts.ExportDeclaration,
  byFile: ReadonlyMap<string, ParsedFile>,
): Omit<ExportedName, 'entry'>[] {
  const source =
    moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier)
      ? resolveRelative(file, moduleSpecifier.text)
      : file;
  if (exportClause === undefined) return exportsOf(source, byFile).map((found) => ({ ...found, isWildcard: true }));
  if (ts.isNamespaceExport(exportClause))
    return [{ name: exportClause.name.text, declaration: `${source} *`, isWildcard: false }];
  return exportClause.elements.map(({ name, propertyName = name }) => ({
    name: name.text,
    declaration: declarationOf(source, propertyName.text, byFile),
    isWildcard: false,
  }));
}

/** Follows re-exports to the file that declares a name. */
function declarationOf(file: string, name: string, byFile: ReadonlyMap<string, ParsedFile>): string {
  const found = exportsOf(file, byFile).find((each) => each.name === name);
  return found?.declaration ?? `${file} ${name}`;
}

function wildcardsOf({ tree }: ParsedFile): string[] {
  return tree.statements.flatMap((statement) =>
    ts.isExportDeclaration(statement) && statement.exportClause === undefined && statement.moduleSpecifier
      ? [statement.moduleSpecifier.getText(tree)]
      : [],
  );
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? [name.text] : []));
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement)
  )
    return statement.name === undefined ? [] : [statement.name.text];
  return [];
}

function collectUses(tree: ts.SourceFile, used: ReadonlyMap<string, Set<string>>): void {
  const visit = (node: ts.Node): void => {
    for (const [specifier, name] of usesOf(node, tree)) used.get(specifier)?.add(name);
    ts.forEachChild(node, visit);
  };
  visit(tree);
}

function usesOf(node: ts.Node, tree: ts.SourceFile): [string, string][] {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier))
    return importedNames(node, tree).map((name) => [(node.moduleSpecifier as ts.StringLiteral).text, name]);
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
    const specifier = node.moduleSpecifier.text;
    if (!node.exportClause || !ts.isNamedExports(node.exportClause)) return [];
    return node.exportClause.elements.map(({ name, propertyName = name }) => [specifier, propertyName.text]);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal))
    return node.qualifier === undefined ? [] : [[node.argument.literal.text, firstName(node.qualifier)]];
  return dynamicUses(node);
}

function importedNames({ importClause }: ts.ImportDeclaration, tree: ts.SourceFile): string[] {
  const bindings = importClause?.namedBindings;
  if (bindings === undefined) return [];
  if (ts.isNamespaceImport(bindings)) return membersOf(bindings.name.text, tree);
  return bindings.elements.map(({ name, propertyName = name }) => propertyName.text);
}

/** Used members of a namespace import. */
function membersOf(namespace: string, tree: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && node.expression.getText(tree) === namespace) found.push(node.name.text);
    if (ts.isQualifiedName(node) && node.left.getText(tree) === namespace) found.push(node.right.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** `const { name } = await import('…')`. */
function dynamicUses(node: ts.Node): [string, string][] {
  if (!ts.isVariableDeclaration(node) || node.initializer === undefined || !ts.isObjectBindingPattern(node.name))
    return [];
  const call = ts.isAwaitExpression(node.initializer) ? node.initializer.expression : node.initializer;
  if (!ts.isCallExpression(call) || call.expression.kind !== ts.SyntaxKind.ImportKeyword) return [];
  const [specifier] = call.arguments;
  if (specifier === undefined || !ts.isStringLiteral(specifier)) return [];
  return node.name.elements.flatMap(({ name, propertyName }) => {
    const imported = propertyName ?? name;
    return ts.isIdentifier(imported) ? [[specifier.text, imported.text] as [string, string]] : [];
  });
}

function firstName(name: ts.EntityName): string {
  return ts.isIdentifier(name) ? name.text : firstName(name.left);
}
