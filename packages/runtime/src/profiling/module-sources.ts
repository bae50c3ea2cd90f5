import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';

export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/**
 * Source files of a stage module, `path` first, with the local files that it imports, recursively. JavaScript and
 * TypeScript: relative imports. Python: modules next to the stage module or to the importing file.
 */
export function moduleSources(path: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const imports = extname(path) === '.py' ? pythonImports(dirname(path)) : scriptImports;
  const collect = (file: string): void => {
    if (found.has(file)) return;
    const text = readFileSync(file, 'utf8');
    found.set(file, text);
    for (const imported of imports(file, text)) collect(imported);
  };
  collect(path);
  return found;
}

const RELATIVE_IMPORT = /(?:from|import|require)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

function scriptImports(path: string, text: string): readonly string[] {
  return [...text.matchAll(RELATIVE_IMPORT)].flatMap(([, reference = '']) => {
    const imported = scriptFile(resolve(dirname(path), reference));
    return imported === undefined ? [] : [imported];
  });
}

/** Imports may name the compiled file (`./x.js`). */
function scriptFile(path: string): string | undefined {
  const stem = path.slice(0, path.length - extname(path).length);
  return [path, `${stem}.ts`, `${path}.ts`, `${path}.js`, join(path, 'index.ts'), join(path, 'index.js')].find(isFile);
}

/** `import a.b as c, d`, and `from ..a import b, c`, also over several lines in parentheses. */
const PYTHON_IMPORT =
  /^[ \t]*(?:import[ \t]+([^\n#;]+)|from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n#;]+))/gm;

/** Files imported by a Python file. Absolute names are resolved in `root`, like the first entry of `sys.path`. */
const pythonImports =
  (root: string) =>
  (path: string, text: string): readonly string[] =>
    [...text.replaceAll('\\\n', ' ').matchAll(PYTHON_IMPORT)].flatMap(([, plain, dots = '', from = '', names = '']) => {
      if (plain !== undefined) return namesIn(plain).flatMap((name) => pythonFiles(root, name));
      // One dot means the folder of the file. Each further dot means the parent folder.
      const folder = dots === '' ? root : resolve(dirname(path), ...Array.from(dots.slice(1), () => '..'));
      // A name imported from a package may be a module or an attribute.
      return [from, ...namesIn(names).map((name) => (from === '' ? name : `${from}.${name}`))].flatMap((name) =>
        pythonFiles(folder, name),
      );
    });

/** Names of `a as b, c # why`, without aliases. */
const namesIn = (list: string): readonly string[] =>
  list
    .replaceAll(/#.*$|[()]/gm, '')
    .split(',')
    .map((part) => part.trim().split(/\s+/)[0] ?? '')
    .filter((name) => /^[\w.]+$/.test(name));

/** File of a dotted name below `folder`, and the `__init__` files that its import runs. */
function pythonFiles(folder: string, dotted: string): readonly string[] {
  const parts = dotted.split('.').filter((part) => part !== '');
  const packages = [[], ...parts.map((_, index) => parts.slice(0, index + 1))].map((path) =>
    join(folder, ...path, '__init__.py'),
  );
  const module = parts.length === 0 ? [] : [`${join(folder, ...parts)}.py`];
  return [...packages, ...module].filter(isFile);
}
